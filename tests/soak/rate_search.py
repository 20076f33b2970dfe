"""The highest rate at which nothing is lost, found as RFC 2544 has it: short trials, each half as far from the one
before; then longer ones, as on a shared machine a short one may just have been lucky."""

import collections

Trial = collections.namedtuple("Trial", "seconds offered lost rate")     # offered: packets; rate: those a second

CLOSE_ENOUGH = 0.05     # of the fastest rate
CONFIRMATIONS = 3
LONGER = 12             # times as long as a short one: a minute, RFC 2544 section 24
STEP_DOWN = 0.9


class NoRate(Exception):
    """Something is lost at any rate."""


def highest_loss_free(run_trial, seconds):
    """(rate, trials). run_trial(rate, seconds) gives a Trial; rate 0 is as fast as the generator can. What counts is
    the rate that was offered, which may be less than was asked for."""
    trials = []

    def trial(rate, lasting=seconds):
        trials.append(run_trial(rate, lasting))
        return trials[-1]

    fastest = trial(0)
    good, bad = (fastest.rate, fastest.rate) if fastest.lost == 0 else (0, fastest.rate)
    while bad - good > CLOSE_ENOUGH * fastest.rate:
        middle = (good + bad) / 2
        if trial(middle).lost == 0:
            good = middle
        else:
            bad = middle
    while good > CLOSE_ENOUGH * fastest.rate:
        rates = []
        while len(rates) < CONFIRMATIONS and (confirmed := trial(good, LONGER * seconds)).lost == 0:
            rates.append(confirmed.rate)
        if len(rates) == CONFIRMATIONS:
            return min(rates), trials
        good *= STEP_DOWN
    raise NoRate("packets are lost even at %.0f a second" % good)
