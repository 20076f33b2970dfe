#include "control/metrics_server.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using control::MetricsServer;
using exporter::CollectorAddress;

namespace {

int bind_error = 0;  // what bind() answers instead of binding; 0: it binds

}  // namespace

// Takes the place of the C library's in this program, so that the kernel can be made to refuse.
extern "C" int bind(int socket, const sockaddr* address, socklen_t length) noexcept {
  if (bind_error == 0) return static_cast<int>(syscall(SYS_bind, socket, address, length));
  errno = bind_error;
  return -1;
}

namespace {

constexpr auto openmetrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// A port of the loopback interface that nobody listens at; it may be taken meanwhile.
std::string free_port(int family) {
  const int probe = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  socklen_t length = sizeof(address);
  const bool known = bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  close(probe);
  if (!known) throw std::runtime_error("no free port");
  // sin_port and sin6_port share their place.
  return std::to_string(ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port));
}

// A server at a free port of `host`, numeric.
struct Running {
  CollectorAddress address;
  std::unique_ptr<MetricsServer> server;
};

Running serve(MetricsServer::Page page, const std::string& host = "127.0.0.1") {
  const int family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  for (int tries_left = 20;; --tries_left) {
    const CollectorAddress address{host, free_port(family)};
    try {
      return {address, std::make_unique<MetricsServer>(address, page)};
    } catch (const Failure&) {
      if (tries_left == 0) throw;
    }
  }
}

class Client {
 public:
  explicit Client(const CollectorAddress& address) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* at = nullptr;
    if (getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &at) != 0)
      throw std::runtime_error("no address");
    socket_ = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const bool connected = connect(socket_, at->ai_addr, at->ai_addrlen) == 0;
    freeaddrinfo(at);
    if (!connected) throw std::runtime_error("nobody listens");
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(socket_); }

  void say(const std::string& text) const {
    REQUIRE(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void ask(const std::string& method, const std::string& path) const {
    say(fmt::format("{} {} HTTP/1.1\r\nHost: a\r\n\r\n", method, path));
  }
  // What comes until `end` stands in it, or until the other side closes.
  [[nodiscard]] std::string hear(const std::string& end) const {
    std::string heard;
    for (char c = 0; heard.find(end) == std::string::npos && recv(socket_, &c, 1, 0) == 1;)
      heard += c;
    return heard;
  }
  [[nodiscard]] std::string hear_all() const {
    std::string heard;
    for (char c = 0; recv(socket_, &c, 1, 0) == 1;)
      heard += c;
    return heard;
  }

 private:
  int socket_ = -1;
};

// One request on a connection of its own, which is closed behind it.
std::string answer(const CollectorAddress& address, const std::string& method,
                   const std::string& path) {
  const Client client(address);
  client.say(fmt::format("{} {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", method, path));
  return client.hear_all();
}

std::string body(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

Failure refusal(const CollectorAddress& address) {
  try {
    const MetricsServer server(address, [] { return std::string(); });
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("should have been refused");
}

std::optional<std::string> page() {
  return "a 1\n# EOF\n";
}

}  // namespace

TEST_CASE("/metrics answers GET with the page and its type, HEAD without the page") {
  const Running running = serve(page);
  const std::string got = answer(running.address, "GET", "/metrics");
  CHECK(got.starts_with("HTTP/1.1 200 "));
  CHECK_THAT(got, Catch::Contains(fmt::format("Content-Type: {}\r\n", openmetrics_type)));
  CHECK_THAT(got, Catch::Contains("Content-Length: 10\r\n"));
  CHECK(body(got) == "a 1\n# EOF\n");
  const std::string head = answer(running.address, "HEAD", "/metrics");
  CHECK(head.starts_with("HTTP/1.1 200 "));
  CHECK_THAT(head, Catch::Contains("Content-Length: 10\r\n"));
  CHECK(body(head).empty());
}

TEST_CASE("without a page it says so, and has one when there is one") {
  std::atomic<bool> receiving = false;
  const Running running = serve([&] { return receiving ? page() : std::optional<std::string>(); });
  const std::string before = answer(running.address, "GET", "/metrics");
  CHECK(before.starts_with("HTTP/1.1 503 "));
  CHECK_THAT(body(before), Catch::Contains("not receiving"));
  receiving = true;
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("other paths and methods") {
  const Running running = serve(page);
  const std::string root = answer(running.address, "GET", "/");
  CHECK(root.starts_with("HTTP/1.1 200 "));
  CHECK_THAT(body(root), Catch::Contains("/metrics"));
  for (const std::string path : {"/metrics/", "/metric", "/../metrics"})
    CHECK(answer(running.address, "GET", path).starts_with("HTTP/1.1 404 "));
  CHECK(answer(running.address, "GET", "/metrics?a=b").starts_with("HTTP/1.1 200 "));
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"}) {
    const std::string refused = answer(running.address, method, "/metrics");
    CAPTURE(method);
    CHECK(refused.starts_with("HTTP/1.1 405 "));
    CHECK_THAT(refused, Catch::Contains("Allow: GET, HEAD\r\n"));
  }
}

TEST_CASE("a connection serves one scrape after the other") {
  const Running running = serve(page);
  const Client client(running.address);
  for (int i = 0; i < 3; ++i) {
    client.ask("GET", "/metrics");
    CHECK(body(client.hear("# EOF\n")) == "a 1\n# EOF\n");
  }
}

TEST_CASE("what is no request ends its own connection only") {
  const Running running = serve(page);
  for (const std::string& words :
       {std::string("hello\r\n\r\n"), std::string(100'000, 'x'),
        std::string("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\nx"),
        std::string("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nx")}) {
    const Client client(running.address);
    client.say(words);
    CHECK(client.hear_all().find(" 200 ") == std::string::npos);
  }
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a page that throws ends its connection only") {
  std::atomic<bool> broken = true;
  const Running running = serve([&]() -> std::optional<std::string> {
    if (broken) throw std::runtime_error("no page");
    return page();
  });
  CHECK(answer(running.address, "GET", "/metrics").empty());
  broken = false;
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("it listens at IPv6 addresses and names, too") {
  const Running running = serve(page, "::1");
  CHECK(running.address.name() == fmt::format("[::1]:{}", running.address.port));
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
  const CollectorAddress named{"localhost", free_port(AF_INET6)};
  const MetricsServer server(named, page);
  CHECK(answer(named, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("where it cannot listen it says why and what to do") {
  const Running running = serve(page);
  const Failure in_use = refusal(running.address);
  CHECK(in_use.code == ExitCode::cannot_create);
  CHECK_THAT(in_use.what(), Catch::Contains("--metrics " + running.address.name() + ": "));
  CHECK_THAT(in_use.what(), Catch::Contains("another port"));
  const Failure not_ours = refusal({"192.0.2.1", "9477"});
  CHECK(not_ours.code == ExitCode::cannot_create);
  CHECK_THAT(not_ours.what(), Catch::Contains("an address that this host has"));
  const Failure no_name = refusal({"no name", "9477"});
  CHECK(no_name.code == ExitCode::failed);
  CHECK_THAT(no_name.what(), Catch::Contains("does not resolve"));
  bind_error = EACCES;
  const Failure denied = refusal({"127.0.0.1", "80"});
  bind_error = 0;
  CHECK(denied.code == ExitCode::no_permission);
  CHECK_THAT(denied.what(), Catch::Contains("from 1024 on"));
}

TEST_CASE("its thread takes no signals, and the thread that started it still does") {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();  // this one, and perhaps one of a sanitizer
  const Running running = serve(page);
  // While a thread is being born the C library keeps all signals from it: so let it work first.
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    uint64_t blocked = 0;
    for (std::string word; status >> word;) {
      if (word == "SigBlk:") status >> std::hex >> blocked;
    }
    const bool takes_term = (blocked >> (SIGTERM - 1) & 1) == 0;
    const bool ours = task.path().filename() == std::to_string(getpid());
    CHECK(takes_term == ours);
  }
  CHECK(threads() == before + 1);
}

TEST_CASE("it stops at once, whatever clients do, and frees its port") {
  Running running = serve(page);
  const Client silent(running.address);
  const Client half(running.address);
  half.say("GET /metrics HTT");
  const Client idle(running.address);
  idle.ask("GET", "/metrics");
  CHECK(body(idle.hear("# EOF\n")) == *page());
  const auto began = std::chrono::steady_clock::now();
  running.server.reset();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  CHECK(half.hear_all().empty());
  const MetricsServer again(running.address, page);
  CHECK(answer(running.address, "GET", "/metrics").starts_with("HTTP/1.1 200 "));
}
