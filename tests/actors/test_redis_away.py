"""What a worker does when Redis is away for a moment, where Dramatiq has no setting for it."""

import dramatiq.worker

import workers


def test_a_thread_waits_a_second_before_it_tells_again_that_it_finished() -> None:
    """The cell of the fault matrix where Redis is killed shows it; here, that Dramatiq reads the name."""
    name = "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS"
    assert getattr(dramatiq.worker, name) == workers.ACK_AGAIN_SECONDS == 1
    reader = dramatiq.worker.ConsumerThread.post_process_message
    assert name in reader.__code__.co_names
