#include "every_thread.hpp"

#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "app/second_thread.hpp"

using namespace pollflow::app;
using namespace pollflow::test;

namespace {

const std::string nothing_pending(16, '0');

std::atomic<int> steps = 0;

bool count_step() noexcept {
  ++steps;
  return true;
}

bool not_all_can(int why) {
  errno = 0;
  return !in_every_other_thread(count_step) && errno == why;
}

}  // namespace

TEST_CASE("every thread does a step, also those that start others meanwhile") {
  if (!threads_answer()) return;
  steps = 0;
  const Waiting one;
  const Waiting two;
  CHECK(in_every_other_thread(count_step));
  CHECK(steps == 2);
  CHECK_FALSE(in_every_other_thread([]() noexcept { return false; }));
}

TEST_CASE("a thread that ends while it is asked needs no answer") {
  if (!threads_answer()) return;
  steps = 0;
  Waiting going(true);
  std::thread ends_it([&] {
    while (status_of(going.id(), "SigPnd") == nothing_pending)
      std::this_thread::yield();
    going.end();
  });
  CHECK(in_every_other_thread(count_step));
  CHECK(steps <= 1);  // of the thread that ended the other, where it was there still
  ends_it.join();
}

TEST_CASE("a thread that does not answer is waited for ten seconds, and not forgotten") {
  if (!threads_answer()) return;
  CHECK(in_a_process([] {
    const Waiting deaf(true);
    return not_all_can(ETIMEDOUT);
  }));
}

TEST_CASE("a thread that cannot be asked, as too many signals wait, is not forgotten") {
  if (!threads_answer()) return;
  CHECK(in_a_process([] {
    const Waiting other;
    const rlimit none{0, 0};
    return setrlimit(RLIMIT_SIGPENDING, &none) == 0 && not_all_can(EAGAIN);
  }));
}
