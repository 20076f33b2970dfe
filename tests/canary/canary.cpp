// Faults on purpose, one a run, named as the functions below: a sanitizer that says nothing of its
// own does not work (test_canary.py).

#include <climits>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>

namespace {

// What the compiler must not see through.
volatile size_t eight = 8;
volatile int largest = INT_MAX;
int shared = 0;

int heap_overflow() {
  const std::unique_ptr<char[]> bytes(new char[eight]{});
  return bytes[eight];
}

int use_after_free() {
  auto* number = new int(7);
  int* volatile again = number;
  delete number;
  return *again;
}

int leak() {
  int* volatile number = new int(7);
  const int value = *number;
  number = nullptr;
  return value;
}

int signed_overflow() {
  return largest + 1;
}

int null_reference() {
  int* volatile nowhere = nullptr;
  const int& number = *nowhere;
  return number;
}

int data_race() {
  const auto count = [] {
    for (int i = 0; i < 1000; ++i)
      ++shared;
  };
  std::thread one(count);
  std::thread other(count);
  one.join();
  other.join();
  return shared;
}

struct Fault {
  std::string_view name;
  int (*commit)();
};
constexpr Fault faults[] = {
    {"heap_overflow", heap_overflow},
    {"use_after_free", use_after_free},
    {"leak", leak},
    {"signed_overflow", signed_overflow},
    {"null_reference", null_reference},
    {"data_race", data_race},
};

}  // namespace

int main(int argc, char** argv) {
  volatile int result = 0;
  for (const Fault& fault : faults) {
    if (argc == 2 && fault.name == argv[1]) result = fault.commit();
  }
  return result == -1 ? 1 : 0;
}
