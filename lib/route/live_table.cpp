#include "route/live_table.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "failure.hpp"
#include "route/load.hpp"

namespace pollflow::route {
namespace {

int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

void LiveTable::load(const std::string& source) {
  if (source.empty()) {
    const std::scoped_lock lock(loading_);
    return exchange(nullptr, {});
  }
  try {
    const std::vector<Route> routes = load_routes(source);
    if (routes.empty() && about().routes > 0) {
      throw Failure(ExitCode::configuration,
                    fmt::format("--routes {}: there is no route in it any more; those before stay "
                                "in force",
                                source));
    }
    begin_with(source, routes);
  } catch (...) {
    const std::scoped_lock lock(current_);
    ++about_.failures;
    throw;
  }
}

void LiveTable::begin_with(const std::string& source, std::span<const Route> routes) {
  const std::scoped_lock lock(loading_);
  exchange(std::make_unique<RouteTable>(routes, node_),
           {.source = source, .routes = routes.size(), .loaded_ms = unix_ms()});
}

void LiveTable::exchange(std::unique_ptr<RouteTable> table, About about) {
  const RouteTable* fresh = table.get();
  offered_.store(fresh, std::memory_order_release);
  while (open_.load(std::memory_order_acquire) && taken_.load(std::memory_order_acquire) != fresh)
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  const std::scoped_lock lock(current_);
  std::swap(table_, table);
  about.failures = about_.failures;
  about_ = std::move(about);
  table.reset();  // while nobody resolves
}

LiveTable::About LiveTable::about() const {
  const std::scoped_lock lock(current_);
  return about_;
}

void LiveTable::resolve(std::span<const packet::FlowKey> keys, std::span<flow::Routing> out) const {
  const std::scoped_lock lock(current_);
  route::resolve(table_.get(), pairs_, keys, out);
}

}  // namespace pollflow::route
