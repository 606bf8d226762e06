"""Background duties: one file each, named for the doer, around one `run_once`; APScheduler rings them."""
