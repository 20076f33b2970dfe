#include "control/metrics_page.hpp"

#include "control/openmetrics.hpp"

namespace pollflow::control {

std::optional<std::string> MetricsPage::text() const {
  const std::scoped_lock lock(mutex_);
  if (sources_ == nullptr) return std::nullopt;
  return openmetrics(collect(*sources_));
}

void MetricsPage::show(const Sources* sources) {
  const std::scoped_lock lock(mutex_);
  sources_ = sources;
}

}  // namespace pollflow::control
