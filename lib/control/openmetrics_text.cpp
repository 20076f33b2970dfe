#include "control/openmetrics_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace pollflow::control {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

// A bound as the specification writes numbers ("le" is compared as text): 0.25, but 1.0.
std::string bound_text(int64_t bound_ms) {
  std::string text = fmt::format("{}", static_cast<double>(bound_ms) / 1000);
  return text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string seconds_text(uint64_t ms) {
  return fmt::format("{}.{:03}", ms / 1000, ms % 1000);
}

}  // namespace

void OpenMetricsText::family(std::string_view type, std::string_view name, std::string_view unit,
                             std::string_view help) {
  family_ = fmt::format("pollflow_{}{}{}", name, unit.empty() ? "" : "_", unit);
  const auto out = std::back_inserter(text_);
  fmt::format_to(out, "# TYPE {} {}\n", family_, type);
  if (!unit.empty()) fmt::format_to(out, "# UNIT {} {}\n", family_, unit);
  fmt::format_to(out, "# HELP {} {}\n", family_, escaped(help));
}

void OpenMetricsText::gauge(std::string_view name, std::string_view unit, std::string_view help) {
  family("gauge", name, unit, help);
  suffix_ = "";
}

void OpenMetricsText::counter(std::string_view name, std::string_view unit, std::string_view help) {
  family("counter", name, unit, help);
  suffix_ = "_total";
}

void OpenMetricsText::histogram(std::string_view name, std::string_view unit,
                                std::string_view help) {
  family("histogram", name, unit, help);
}

void OpenMetricsText::info(std::string_view name, std::string_view help) {
  family("info", name, "", help);
}

void OpenMetricsText::state_set(std::string_view name, std::string_view help) {
  family("stateset", name, "", help);
}

void OpenMetricsText::sample(Labels labels, uint64_t value) {
  line(suffix_, labels, fmt::to_string(value));
}

void OpenMetricsText::sample_ms(Labels labels, int64_t ms) {
  line(suffix_, labels, seconds_text(static_cast<uint64_t>(ms)));
}

void OpenMetricsText::sample_info(Labels labels) {
  line("_info", labels, "1");
}

void OpenMetricsText::sample_state(Labels labels, std::string_view state, bool in_force) {
  const Label own{family_, state};
  line("", labels, in_force ? "1" : "0", &own);
}

void OpenMetricsText::bucket_ms(int64_t bound_ms, uint64_t count_so_far) {
  line("_bucket", {{"le", bound_text(bound_ms)}}, fmt::to_string(count_so_far));
}

void OpenMetricsText::end_buckets(uint64_t count, uint64_t sum_ms) {
  line("_bucket", {{"le", "+Inf"}}, fmt::to_string(count));
  line("_sum", {}, seconds_text(sum_ms));
  line("_count", {}, fmt::to_string(count));
}

void OpenMetricsText::line(std::string_view suffix, Labels labels, std::string_view value,
                           const Label* more) {
  const auto out = std::back_inserter(text_);
  fmt::format_to(out, "{}{}", family_, suffix);
  char before = '{';
  const auto add = [&](const Label& label) {
    fmt::format_to(out, "{}{}=\"{}\"", before, label.first, escaped(label.second));
    before = ',';
  };
  for (const Label& label : labels)
    add(label);
  if (more != nullptr) add(*more);
  fmt::format_to(out, "{} {}\n", before == ',' ? "}" : "", value);
}

std::string OpenMetricsText::end() && {
  text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace pollflow::control
