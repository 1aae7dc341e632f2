"""Many windows of profiles to one."""

from collections.abc import Mapping, Sequence

from pyrometer.values import Profile, Sample, Stack


def merge_profiles(profiles: Sequence[Profile]) -> Profile:
    """
    Return the sum of profiles of one type: a sample for each stack and thread, from the first start to the last end.

    Attributes are kept where all agree; the period is kept where all agree, else it is 0. The order of grouping does
    not change the result.

    Raises:
        ValueError: If there is none, or their types or units differ.
    """
    if not profiles:
        raise ValueError("there is no profile to merge")
    kinds = {(profile.sample_type, profile.unit) for profile in profiles}
    if len(kinds) > 1:
        raise ValueError(f"profiles of different kinds cannot be merged: {sorted(kinds)}")
    first = profiles[0]
    start = min(profile.start_unix_ns for profile in profiles)
    end = max(profile.start_unix_ns + profile.duration_ns for profile in profiles)
    return Profile(
        samples=_merge_samples(profiles),
        sample_type=first.sample_type,
        unit=first.unit,
        start_unix_ns=start,
        duration_ns=end - start,
        period_ns=first.period_ns if len({profile.period_ns for profile in profiles}) == 1 else 0,
        attributes=_shared_attributes(profiles),
    )


def _merge_samples(profiles: Sequence[Profile]) -> tuple[Sample, ...]:
    sums: dict[tuple[Stack, int, str], tuple[int, int]] = {}
    for profile in profiles:
        for sample in profile.samples:
            key = (sample.stack, sample.thread_id, sample.thread_name)
            count, value = sums.get(key, (0, 0))
            sums[key] = (count + sample.count, value + sample.value)
    return tuple(
        [
            Sample(stack=stack, count=count, value=value, thread_id=thread_id, thread_name=thread_name)
            for (stack, thread_id, thread_name), (count, value) in sums.items()
        ]
    )


def _shared_attributes(profiles: Sequence[Profile]) -> Mapping[str, str | int]:
    shared = dict(profiles[0].attributes)
    for profile in profiles[1:]:
        shared = {key: value for key, value in shared.items() if profile.attributes.get(key) == value}
    return shared
