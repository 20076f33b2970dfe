#include "pipeline/errand.hpp"

namespace pollflow::pipeline {

void Errand::ask(const Question& question) noexcept {
  question_ = question;
  at_end_ = false;
  expired_ = 0;
  count_ = 0;
  pending_.store(true, std::memory_order_release);
}

void Errand::done(bool at_end) noexcept {
  at_end_ = at_end;
  pending_.store(false, std::memory_order_release);
}

}  // namespace pollflow::pipeline
