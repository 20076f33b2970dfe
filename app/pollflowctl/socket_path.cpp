#include "socket_path.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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
// $RUNTIME_DIRECTORY of the unit in scripts/systemd, which only its own processes are given: looked
// into when nobody answers in the usual place.
constexpr const char* unit_runtime = "/run/pollflow";

fs::path runtime_folder() {
  if (const char* systemd = std::getenv("RUNTIME_DIRECTORY"); systemd != nullptr)
    return fs::path(systemd) / "dpdk";
  if (getuid() == 0) return "/var/run/dpdk";
  const char* xdg = std::getenv("XDG_RUNTIME_DIR");
  return fs::path(xdg != nullptr ? xdg : "/tmp") / "dpdk";
}

// A process that was killed leaves its socket behind.
bool somebody_answers(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) return false;
  name.copy(static_cast<char*>(address.sun_path), name.size());
  const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool answers =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN;
  close(probe);
  return answers;
}

std::vector<std::string> prefixes_with_socket(const fs::path& folder) {
  std::vector<std::string> prefixes;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (somebody_answers(entry->path() / socket_name))
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
  const fs::path of_unit = fs::path(unit_runtime) / "dpdk" / file_prefix / socket_name;
  if (std::getenv("RUNTIME_DIRECTORY") == nullptr && !somebody_answers(path) &&
      somebody_answers(of_unit))
    return of_unit.string();
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
