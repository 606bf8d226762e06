"""Which step works off which lane; the worker and the tests both take them from here."""

from app.flows import (
    erase,
    fan_out,
    fire_automation,
    rearm_tier,
    review_tiers,
    run_imports,
    subscriptions,
)
from app.flows.lanes import Lane, Step

STEPS: dict[Lane, Step] = {
    Lane.AUTOMATIONS: fire_automation.fire_due,
    Lane.FIRINGS: fan_out.make_due,
    Lane.SUBSCRIPTIONS: subscriptions.fire_due,
    Lane.REFRESHES: subscriptions.refresh_some,
    Lane.TIER_REVIEWS: review_tiers.review_due,
    Lane.TIER_CHANGES: rearm_tier.rearm_some,
    Lane.ERASURES: erase.erase_some,
    Lane.IMPORTS: run_imports.import_some,
}
