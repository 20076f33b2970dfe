#include "eal_arguments.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace pollflow::app {
namespace {

constexpr size_t mib = size_t{1} << 20;
// EAL's own structures, and what its heap loses to alignment and element headers.
constexpr size_t eal_memory_bytes = 24 * mib;

bool lays_out_lcores(const std::string& argument) {
  constexpr std::array<std::string_view, 3> options = {"-l", "-c", "--lc"};
  return std::ranges::any_of(options,
                             [&](std::string_view option) { return argument.starts_with(option); });
}

bool sets_memory(const std::string& argument) {
  return argument.starts_with("-m") || argument.starts_with("--socket-mem");
}

// EAL takes long options cut short, too.
bool is_option(const std::string& argument, std::string_view option) {
  const std::string_view name = std::string_view(argument).substr(0, argument.find('='));
  return name.size() > std::string_view("--x").size() && option.starts_with(name);
}

// That have no files in hugetlbfs, have others attach to them, or say themselves when they go.
bool rules_out_unlinking(const std::string& argument) {
  constexpr std::array<std::string_view, 5> options = {"--no-huge", "--in-memory", "--huge-unlink",
                                                       "--single-file-segments", "--proc-type"};
  return std::ranges::any_of(options,
                             [&](std::string_view option) { return is_option(argument, option); });
}

std::string in_mib(size_t bytes) {
  return fmt::to_string((bytes + eal_memory_bytes + mib - 1) / mib);
}

std::string list_of(const std::vector<unsigned>& cpus) {
  std::string list;
  for (const unsigned cpu : cpus) {
    if (!list.empty()) list += ',';
    list += std::to_string(cpu);
  }
  return list;
}

}  // namespace

std::vector<unsigned> allowed_cpus() {
  cpu_set_t set;
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<std::string> eal_arguments(const CaptureNeeds& needs) {
  std::vector<std::string> arguments = {"pollflow",
                                        "--no-huge",
                                        "--no-shconf",
                                        "--no-telemetry",
                                        "--no-pci",
                                        "-m",
                                        in_mib(needs.memory_bytes),
                                        "--vdev",
                                        needs.vdev};
  if (std::ranges::none_of(needs.operator_arguments, lays_out_lcores)) {
    // One lcore, free to run on any of the CPUs: nothing is gained by pinning what reads a file.
    arguments.insert(arguments.end(), {"--lcores", fmt::format("0@({})", list_of(needs.cpus))});
  }
  arguments.insert(arguments.end(), needs.operator_arguments.begin(),
                   needs.operator_arguments.end());
  return arguments;
}

std::vector<std::string> live_eal_arguments(const std::vector<std::string>& operator_arguments,
                                            size_t memory_bytes) {
  std::vector<std::string> arguments = {"pollflow"};
  const bool no_huge =
      std::ranges::find(operator_arguments, "--no-huge") != operator_arguments.end();
  if (no_huge && std::ranges::none_of(operator_arguments, sets_memory))
    arguments.insert(arguments.end(), {"-m", in_mib(memory_bytes)});
  if (std::ranges::none_of(operator_arguments, rules_out_unlinking))
    arguments.emplace_back("--huge-unlink=always");
  arguments.insert(arguments.end(), operator_arguments.begin(), operator_arguments.end());
  return arguments;
}

}  // namespace pollflow::app
