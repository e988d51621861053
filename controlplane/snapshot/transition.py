"""From the published snapshot to the target, make before break.

Routes are not warmed: a route to a cluster that a proxy has not got, or has not warmed, answers 503. And a cluster
that goes before its route does the same. So: first the union of the clusters, then listeners and routes, then the
clusters that nothing names any more. The engine publishes one phase, waits until the fleet has accepted it, goes on.
"""

from controlplane.snapshot.resource import CLUSTER
from controlplane.snapshot.snapshot import Snapshot


def phases(published: Snapshot | None, target: Snapshot) -> list[Snapshot]:
    """The snapshots to publish one after the other; the last is `target`. Empty when `target` is published already.

    Without anything published (a start) the target is the only phase: the first push follows the type order.
    A weight step is one phase, since its clusters are there already.
    """
    if published is None:
        return [target]
    union = target.of_type(CLUSTER).over(published.of_type(CLUSTER))
    made = Snapshot({**published.types, CLUSTER: union})
    moved = Snapshot({**target.types, CLUSTER: union})
    steps = []
    last = published
    for step in (made, moved, target):
        if step.version != last.version:
            steps.append(step)
            last = step
    return steps
