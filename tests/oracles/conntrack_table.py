"""The table of a kernel, simulated plainly: chains in buckets, reaping, early drop and the collector (C-5, C-6).

What it leaves out: a pass that takes longer than its slice of time. Each slice of the collector happens in an instant.
The kernel's timers go off late, by more the longer they wait; that is in here, with a grid laid through the first pass.
"""

from collections import defaultdict
from hashlib import blake2b

SECOND = 1_000_000_000
SHORTEST, LONGEST, LONGEST_REMAINING = 1, 60, 300  # seconds
SEED_SAMPLES = 100
EVICTION_RANGE = 8
FINE = 63  # ticks a timer can wait and be a tick late at most; eight times as long, eight times as late, and so on


class BucketTable:
    """Entries in chains of buckets; each is linked under both its tuples.

    `first_pass` says when the collector's first pass begins, in nanoseconds; None: it never runs.
    """

    def __init__(self, settings, seed=0, first_pass=None):
        self.limit, self.buckets = settings.nf_conntrack_max, settings.nf_conntrack_buckets
        self.hz, self.jiffy = settings.hz, SECOND // settings.hz
        self.seed = seed
        self.chains = defaultdict(list)  # newest first
        self.allocated = set()
        self.evicted = self.full = 0
        self.pressed = False  # an early drop has failed since the collector last ran
        self.first_pass, self.next_slice, self.next_bucket = first_pass, first_pass, 0
        self.passes = []

    def bucket_of(self, tuple_):
        digest = blake2b(repr((self.seed, tuple_)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.buckets

    def find(self, tuple_, now):
        """Walk a chain up to the entry that has the tuple; every expired one passed on the way goes."""
        for entry in list(self.chains[self.bucket_of(tuple_)]):
            if entry not in self.allocated:
                continue  # it was here twice
            if entry.is_expired(now):
                self.remove(entry)
            elif tuple_ in entry.tuples:
                return entry
        return None

    def has_room(self, tuple_, now):
        if not self.limit or len(self.allocated) < self.limit or self.drop_early(tuple_, now):
            return True
        self.full += 1
        self.pressed = True
        return False

    def drop_early(self, tuple_, now):
        """Kill every unassured entry of the first of eight buckets that has any; what is expired goes anyway."""
        first = self.bucket_of(tuple_)
        for step in range(EVICTION_RANGE):
            killed = 0
            for entry in list(self.chains[(first + step) % self.buckets]):
                if entry not in self.allocated:
                    continue
                if entry.is_expired(now):
                    self.remove(entry)
                elif not entry.assured:
                    self.remove(entry)
                    killed += 1
            if killed:
                self.evicted += killed
                return True
        return False

    def insert(self, entry, now):
        self.allocated.add(entry)
        for tuple_ in entry.tuples:
            self.chains[self.bucket_of(tuple_)].insert(0, entry)

    def remove(self, entry):
        self.allocated.remove(entry)
        for tuple_ in entry.tuples:
            self.chains[self.bucket_of(tuple_)].remove(entry)

    def reap(self, now):
        for entry in [entry for entry in self.allocated if entry.is_expired(now)]:
            self.remove(entry)

    # The collector.

    def pass_time(self, now):
        while self.next_slice is not None and self.next_slice <= now:
            self.run_slice(self.next_slice)

    def run_slice(self, now):
        if self.next_bucket == 0:
            self.passes.append(now)
            self.mean, self.samples = LONGEST * self.hz, SEED_SAMPLES
        above = self.limit // 100 * 95 if self.pressed else 0
        gone = 0
        for bucket in sorted(key for key, chain in self.chains.items() if chain and key >= self.next_bucket):
            for entry in list(self.chains[bucket]):
                if entry not in self.allocated:
                    continue
                if gone > 64000 // self.hz:
                    self.next_bucket, self.pressed = bucket, False
                    self.next_slice = self.timer(now, 1)
                    return
                if entry.is_expired(now):
                    self.remove(entry)
                    gone += 1
                    continue
                self.count_in(entry, now)
                if above and len(self.allocated) >= above and entry.may_be_dropped_early():
                    self.remove(entry)
                    gone += 1
        self.next_bucket, self.pressed = 0, False
        took = max((now - self.passes[-1]) // self.jiffy, 1)
        wait = min(max(self.mean, SHORTEST * self.hz), LONGEST * self.hz) - took
        self.next_slice = self.timer(now, max(wait, 1))

    def timer(self, now, ticks):
        """When a timer goes off that is set now: at the next line of the grid behind its time."""
        step = 1
        while ticks >= FINE * step:
            step *= 8
        end = (now - self.first_pass) // self.jiffy + ticks
        return self.first_pass + (end // step + 1) * step * self.jiffy

    def count_in(self, entry, now):
        """Take the entry's remaining time into the mean, in ticks, with division that cuts towards zero."""
        left = (entry.expires - now) // self.jiffy
        left = min(max(left, SHORTEST * self.hz), LONGEST_REMAINING * self.hz)
        self.samples += 1
        difference = left - self.mean
        step = abs(difference) // self.samples
        self.mean += step if difference >= 0 else -step
