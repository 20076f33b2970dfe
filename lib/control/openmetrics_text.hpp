#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace pollflow::control {

// Writes the text format of OpenMetrics 1.0:
//
//   # TYPE pollflow_skipped_packets counter
//   # UNIT pollflow_skipped_packets packets                   a family: what its name and unit are
//   # HELP pollflow_skipped_packets Frames skipped.
//   pollflow_skipped_packets_total{reason="arp"} 12           its samples, right below
//   # EOF
//
// Whoever writes begins a family, then adds its samples, each set of labels once.
class OpenMetricsText {
 public:
  // A name and its value, both as they are: escaping is done here.
  using Label = std::pair<std::string_view, std::string>;
  using Labels = std::initializer_list<Label>;

  // The family pollflow_NAME_UNIT, or pollflow_NAME when `unit` is empty.
  void gauge(std::string_view name, std::string_view unit, std::string_view help);
  void counter(std::string_view name, std::string_view unit, std::string_view help);
  void histogram(std::string_view name, std::string_view unit, std::string_view help);
  void info(std::string_view name, std::string_view help);
  void state_set(std::string_view name, std::string_view help);

  // A gauge's or counter's sample, an info's (always 1).
  void sample(Labels labels, uint64_t value);
  void sample_ms(Labels labels, int64_t ms);  // in seconds
  void sample_info(Labels labels);
  // Of a state set: one for each state, that in force is 1. `labels` without the state's own.
  void sample_state(Labels labels, std::string_view state, bool in_force);
  // Of a histogram. A bound in milliseconds; below it counts all that is within lower ones, too.
  void bucket_ms(int64_t bound_ms, uint64_t count_so_far);
  void end_buckets(uint64_t count, uint64_t sum_ms);

  std::string end() &&;

 private:
  void family(std::string_view type, std::string_view name, std::string_view unit,
              std::string_view help);
  void line(std::string_view suffix, Labels labels, std::string_view value,
            const Label* more = nullptr);

  std::string family_;       // its name
  std::string_view suffix_;  // of its samples
  std::string text_;
};

}  // namespace pollflow::control
