"""Automations: definitions, firings, fan-outs, participants' schedules."""
