#include "route/kernel_routes.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <tuple>

#include "failure.hpp"

namespace pollflow::route {
namespace {

constexpr int tries_max = 10;

using Attributes = std::array<const nlattr*, RTA_MAX + 1>;
using Socket = std::unique_ptr<mnl_socket, decltype(&mnl_socket_close)>;

struct KernelRoute {
  Route route;
  uint32_t metric = 0;
  size_t number = 0;  // in the dump
};

// Keeps attributes by their type; of types that this kernel's headers do not know, none.
int collect(const nlattr* attribute, void* data) {
  auto& found = *static_cast<Attributes*>(data);
  if (mnl_attr_type_valid(attribute, RTA_MAX) > 0) found[mnl_attr_get_type(attribute)] = attribute;
  return MNL_CB_OK;
}

// A number of 32 bits as it stands in the message (addresses: in network byte order); 0 when it is
// not there, or of another length.
uint32_t u32(const Attributes& attributes, size_t type) {
  const nlattr* attribute = attributes[type];
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != sizeof(uint32_t)) return 0;
  return mnl_attr_get_u32(attribute);
}

uint16_t ifindex16(uint32_t ifindex) {
  return ifindex <= UINT16_MAX ? static_cast<uint16_t>(ifindex) : uint16_t{0};
}

// RTA_VIA, a gateway of another family, is not looked at: no next hop is what it comes to.
void set_next_hop(const Attributes& attributes, uint32_t ifindex, Route& route) {
  route.next_hop = ntohl(u32(attributes, RTA_GATEWAY));
  route.out_if = ifindex16(ifindex);
}

// The first next hop of several whose interface is up.
void set_first_next_hop(const nlattr* multipath, Route& route) {
  const auto* at = static_cast<const uint8_t*>(mnl_attr_get_payload(multipath));
  size_t left = mnl_attr_get_payload_len(multipath);
  while (left >= sizeof(rtnexthop)) {
    const auto& hop = *reinterpret_cast<const rtnexthop*>(at);
    if (hop.rtnh_len < sizeof(rtnexthop) || hop.rtnh_len > left) return;
    if ((hop.rtnh_flags & RTNH_F_DEAD) == 0) {
      Attributes attributes{};
      mnl_attr_parse_payload(at + sizeof(rtnexthop), hop.rtnh_len - sizeof(rtnexthop), collect,
                             &attributes);
      set_next_hop(attributes, static_cast<uint32_t>(hop.rtnh_ifindex), route);
      return;
    }
    const size_t step = std::min<size_t>(MNL_ALIGN(hop.rtnh_len), left);
    at += step;
    left -= step;
  }
}

// False for what is no route of the table main that any packet could follow.
bool read_route(const nlmsghdr* message, KernelRoute& read) {
  if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg))
    return false;
  const auto& header = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  Attributes attributes{};
  if (mnl_attr_parse(message, sizeof(rtmsg), collect, &attributes) < 0) return false;
  const uint32_t table =
      attributes[RTA_TABLE] != nullptr ? u32(attributes, RTA_TABLE) : header.rtm_table;
  if (header.rtm_family != AF_INET || table != RT_TABLE_MAIN || header.rtm_tos != 0 ||
      (header.rtm_flags & RTM_F_CLONED) != 0 || header.rtm_dst_len > 32)
    return false;
  read.metric = u32(attributes, RTA_PRIORITY);
  read.route.length = header.rtm_dst_len;
  read.route.prefix = ntohl(u32(attributes, RTA_DST)) & mask_of(header.rtm_dst_len);
  // Blackhole, unreachable and prohibit come with neither of these, and so end a search with none.
  read.route.hole = header.rtm_type == RTN_THROW;
  if (attributes[RTA_MULTIPATH] != nullptr) {
    set_first_next_hop(attributes[RTA_MULTIPATH], read.route);
  } else {
    set_next_hop(attributes, u32(attributes, RTA_OIF), read.route);
  }
  return true;
}

int take_message(const nlmsghdr* message, void* data) {
  auto& routes = *static_cast<std::vector<KernelRoute>*>(data);
  KernelRoute read{.number = routes.size()};
  if (read_route(message, read)) routes.push_back(read);
  return MNL_CB_OK;
}

[[noreturn]] void fail(const char* doing, int error) {
  const bool denied = error == EACCES || error == EPERM;
  throw Failure(denied ? ExitCode::no_permission : ExitCode::no_device,
                fmt::format("--routes kernel: {} over netlink failed ({}); a service manager that "
                            "restricts address families must allow AF_NETLINK, or give a file",
                            doing, std::strerror(error)));
}

void ask(mnl_socket* socket) {
  alignas(nlmsghdr) std::array<char, 256> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = RTM_GETROUTE;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message->nlmsg_seq = 1;
  auto* header = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  header->rtm_family = AF_INET;
  if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) fail("asking for routes", errno);
}

// False: the routes changed meanwhile (NLM_F_DUMP_INTR, which libmnl answers by EINTR), so that
// some may be there twice, others not at all.
bool dump(std::vector<KernelRoute>& routes) {
  const Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC), &mnl_socket_close);
  if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0)
    fail("a socket", errno);
  ask(socket.get());
  const unsigned port = mnl_socket_get_portid(socket.get());
  std::vector<char> buffer(size_t{64} * 1024);  // more than the kernel puts into one message
  for (;;) {
    const ssize_t bytes = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;  // a signal
    if (bytes < 0) fail("receiving routes", errno);
    const int more =
        mnl_cb_run(buffer.data(), static_cast<size_t>(bytes), 1, port, take_message, &routes);
    if (more == MNL_CB_STOP) return true;
    if (more < 0 && errno == EINTR) return false;
    if (more < 0) fail("receiving routes", errno);
  }
}

}  // namespace

std::vector<Route> read_kernel_routes() {
  std::vector<KernelRoute> found;
  for (int tries = 1; !dump(found); ++tries) {
    if (tries == tries_max) {
      throw Failure(
          ExitCode::no_device,
          fmt::format("--routes kernel: the routes changed while they were read, {} times "
                      "on end; try again, or give a file",
                      tries_max));
    }
    found.clear();
  }
  const auto rank = [](const KernelRoute& r) {
    return std::tuple(order_of(r.route), r.metric, r.number);
  };
  std::ranges::sort(found, {}, rank);
  std::vector<Route> routes;
  for (const KernelRoute& read : found) {
    const bool known = !routes.empty() && order_of(routes.back()) == order_of(read.route);
    if (!known) routes.push_back(read.route);
  }
  return routes;
}

}  // namespace pollflow::route
