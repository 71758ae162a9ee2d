"""Several copies of one server: who is asked first, and who is left alone for a while."""

from collections import Counter

from bot.servers import Servers

COPIES = ["http://rasa-1:5005", "http://rasa-2:5005", "http://rasa-3:5005"]


def test_a_conversation_stays_with_one_copy_and_conversations_spread() -> None:
    """In every process alike, in whichever order the addresses are written."""
    here, there = Servers(COPIES), Servers([f"{address}/" for address in reversed(COPIES)])
    keys = [f"conversation-{number}" for number in range(300)]

    assert [here.in_order(key) for key in keys] == [there.in_order(key) for key in keys]
    assert min(Counter(here.in_order(key)[0] for key in keys).values()) > 60


def test_a_copy_that_failed_is_asked_last_until_its_rest_is_over() -> None:
    """Only its own conversations move."""
    now = [0.0]
    servers = Servers(COPIES, rest_seconds=30, clock=lambda: now[0])
    before = {f"c{n}": servers.in_order(f"c{n}") for n in range(50)}

    servers.failed(COPIES[0])

    for key, order in before.items():
        assert servers.in_order(key) == [address for address in order if address != COPIES[0]] + [COPIES[0]]
    now[0] = 30.0
    assert {key: servers.in_order(key) for key in before} == before


def test_a_copy_that_answers_again_rests_no_longer() -> None:
    """It was asked because the others were away, too."""
    servers = Servers(COPIES)
    before = servers.in_order("c")
    servers.failed(before[0])

    servers.answered(before[0])

    assert servers.in_order("c") == before
