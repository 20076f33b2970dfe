// Prints the page for Prometheus of a made-up run in which nothing is 0 and the ledger adds up.
#include <cstdio>

#include "control/openmetrics.hpp"
#include "support/statistics_fixture.hpp"

int main() {
  return std::fputs(pollflow::control::openmetrics(pollflow::control::busy_statistics()).c_str(),
                    stdout) < 0;
}
