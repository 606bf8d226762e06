"""Which step works off which lane; the worker and the tests both take them from here."""

from app.flows import rearm_tier, review_tiers
from app.flows.lanes import Lane, Step

STEPS: dict[Lane, Step] = {
    Lane.TIER_REVIEWS: review_tiers.review_due,
    Lane.TIER_CHANGES: rearm_tier.rearm_some,
}
