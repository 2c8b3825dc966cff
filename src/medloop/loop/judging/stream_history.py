"""What a stream did by one model, in lines for its change record."""

from collections import Counter
from collections.abc import Iterator, Sequence

from medloop.core.records import Event, Model
from medloop.loop.foundation.disposed import ALARM, CALIBRATE, DECISIONS, RENEW, STREAM, Disposition, accepted_cases, dispositions
from medloop.loop.judging.live_models import called
from medloop.loop.judging.stream_rule import rule_of
from medloop.store.reader import Reader


def stream_history(tx: Reader, model: Model) -> tuple[str, ...]:
    """Rules with their promise and threshold, alarms, renewals and what was decided; nothing where no stream used the model."""
    own = tx.events_about(STREAM, [model.id], verbs=[CALIBRATE, ALARM, RENEW])
    decided = [one for one in dispositions(tx).values() if one.model_id == model.id]
    return (*_events(tx, own), *_decided(tx, decided)) if own or decided else ()


def _events(tx: Reader, own: Sequence[Event]) -> Iterator[str]:
    for event in own:
        when = f"{event.at[:16]}Z"
        if event.verb == CALIBRATE:
            yield f"{when}, rule: {rule_of(event).words}"
        elif event.verb == ALARM:
            yield f"{when}, alarm: {event.body['reason']}"
        else:
            yield f"{when}, rule to be made anew, by {called(tx, event.actor)}: {event.body['why']}"


def _decided(tx: Reader, decided: Sequence[Disposition]) -> Iterator[str]:
    counts, stand = Counter(one.decision for one in decided), accepted_cases(tx)
    lapsed = sum(one.decision == "accepted" and one.case_id not in stand for one in decided)
    gone = f"; {lapsed} of the accepted stand no longer" if lapsed else ""
    yield f"Decided: {', '.join(f'{counts[name]} {name}' for name in DECISIONS)}{gone}"
