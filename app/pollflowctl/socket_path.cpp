#include "socket_path.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "failure.hpp"
#include "joined.hpp"
#include "telemetry_client.hpp"

namespace fs = std::filesystem;

namespace pollflow::ctl {
namespace {

constexpr const char* socket_name = "dpdk_telemetry.v2";
// $RUNTIME_DIRECTORY of the unit in scripts/systemd, which only its own processes are given.
constexpr const char* unit_runtime = "/run/pollflow";

fs::path runtime_folder() {
  if (const char* systemd = std::getenv("RUNTIME_DIRECTORY"); systemd != nullptr)
    return fs::path(systemd) / "dpdk";
  if (getuid() == 0) return "/var/run/dpdk";
  const char* xdg = std::getenv("XDG_RUNTIME_DIR");
  return fs::path(xdg != nullptr ? xdg : "/tmp") / "dpdk";
}

std::vector<std::string> prefixes_with_socket(const fs::path& folder) {
  std::vector<std::string> prefixes;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (fs::is_socket(entry->path() / socket_name, unreadable))
      prefixes.push_back(entry->path().filename().string());
  }
  std::ranges::sort(prefixes);
  return prefixes;
}

[[noreturn]] void no_socket(const fs::path& folder, const std::string& file_prefix) {
  const auto there = prefixes_with_socket(folder);
  std::string advice;
  if (!there.empty()) {
    advice = fmt::format("these have one: {}; give it by --file-prefix", joined(there, ", "));
  } else if (const auto unit = prefixes_with_socket(fs::path(unit_runtime) / "dpdk");
             !unit.empty()) {
    advice = fmt::format("systemd's unit has one: set RUNTIME_DIRECTORY={} and --file-prefix {}",
                         unit_runtime, unit.front());
  } else {
    advice =
        "pollflow must run on live ports, as a user with the same runtime folder, and without "
        "EAL's --no-telemetry";
  }
  throw Failure(no_answer, fmt::format("--file-prefix {}: there is no socket {}; {}", file_prefix,
                                       (folder / file_prefix / socket_name).string(), advice));
}

}  // namespace

std::string find_socket(const std::string& file_prefix) {
  const fs::path folder = runtime_folder();
  const fs::path path = folder / file_prefix / socket_name;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error == std::errc::permission_denied) {
    throw Failure(
        ExitCode::no_permission,
        fmt::format("--file-prefix {}: no permission to look for {}; run pollflowctl as the user "
                    "that pollflow runs as, or as root",
                    file_prefix, path.string()));
  }
  if (!fs::exists(status)) no_socket(folder, file_prefix);
  return path.string();
}

}  // namespace pollflow::ctl
