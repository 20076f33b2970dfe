#include "eal_trouble.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace pollflow::app {
namespace {

struct Known {
  std::string_view words;  // in EAL's log, whatever the case
  ExitCode code;
  std::string_view sentence;
};

// In each list the first that is found counts: causes stand before their consequences.
// Of EAL itself: it did not start.
constexpr std::array of_start = {
    Known{"is another primary process running", ExitCode::no_device,
          "another DPDK program runs under the same name on this host; give this one a name of its "
          "own by EAL's --file-prefix NAME"},
    Known{"lcore count exceeds", ExitCode::usage,
          "EAL was given more lcores than DPDK is built for; give it fewer by -l or --lcores"},
    Known{
        "unavailable\n", ExitCode::usage,
        "EAL cannot have the lcores it was given: this process may not run on their CPUs, or there "
        "are none; name others by -l, or put several lcores on one CPU by --lcores "
        "'(0-3)@(0-1)'"},
    Known{"core list", ExitCode::usage,
          "EAL does not take the list of cores; -l wants CPUs such as 1-4,6, --lcores wants lcores "
          "on "
          "CPUs such as '0@0,1@1'"},
    Known{"invalid parameter for --lcores", ExitCode::usage,
          "EAL does not take the list of lcores; --lcores wants lcores on CPUs such as '0@0,1@1'"},
    Known{"hugepage information", ExitCode::no_device,
          "there are no huge pages that this user can have; reserve some by scripts/hugepages 2048 "
          "(MiB), let the user into the hugetlbfs mount, or run without by --no-huge before --"},
    Known{"no mounted hugetlbfs", ExitCode::no_device,
          "no hugetlbfs is mounted that this user can write to; scripts/hugepages mounts one, "
          "--in-memory does without, --no-huge uses small pages"},
    Known{"cannot init memory", ExitCode::no_device,
          "EAL did not get the memory it was told to take; lower -m, or reserve more huge pages by "
          "scripts/hugepages"},
};

// Of a device: EAL may have started without it.
constexpr std::array of_devices = {
    Known{"cannot set up dma remapping", ExitCode::no_permission,
          "the memory cannot be mapped for the device by VFIO; raise the memlock limit (ulimit -l "
          "unlimited, or LimitMEMLOCK=infinity in the unit)"},
    Known{"device or resource busy", ExitCode::no_device,
          "the device is in use by another program; stop that one, or name another device by -a"},
    Known{
        "no supported iommu extensions", ExitCode::no_device,
        "the kernel has no IOMMU support loaded for VFIO; modprobe vfio_iommu_type1, and see what "
        "scripts/doctor says of the IOMMU"},
    Known{"/dev/vfio", ExitCode::no_permission,
          "the device's VFIO group cannot be opened; run as root, or give the user the group: "
          "scripts/doctor says which, scripts/systemd has a udev rule"},
    Known{"cannot find device", ExitCode::no_device,
          "there is no device of the name given by -a; scripts/bind-nic lists them"},
    Known{"failed to parse device", ExitCode::usage,
          "EAL does not know the device or driver that -a or --vdev names; scripts/bind-nic lists "
          "the host's NICs"},
    Known{"could not open af_packet socket", ExitCode::no_permission,
          "net_af_packet may not open its socket; run as root, or give it CAP_NET_RAW and "
          "CAP_NET_ADMIN"},
    Known{"failed to initialize", ExitCode::no_device,
          "a device named by -a or --vdev cannot be set up; check its name and arguments, DPDK's "
          "words "
          "are below"},
    Known{
        "permission denied", ExitCode::no_permission,
        "EAL may not open a file it needs; run as root, or let scripts/doctor --user NAME say what "
        "this user lacks"},
    Known{
        "operation not permitted", ExitCode::no_permission,
        "EAL may not do what the device needs; run as root, or let scripts/doctor --user NAME say "
        "what this user lacks"},
};

std::optional<EalTrouble> look_up(std::string_view log, std::span<const Known> known) {
  std::string lower(log);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Known& each : known) {
    if (lower.find(each.words) != std::string::npos)
      return EalTrouble{each.code, std::string(each.sentence)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<EalTrouble> explain_eal(std::string_view log) {
  const auto trouble = look_up(log, of_start);
  return trouble ? trouble : look_up(log, of_devices);
}

std::optional<EalTrouble> explain_missing_port(std::string_view log) {
  return look_up(log, of_devices);
}

}  // namespace pollflow::app
