#include "discovery/dns_lookup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/strings.h"
#include "gtest/gtest.h"

namespace narthex::discovery {
namespace {

std::string Number(uint32_t n, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(n >> (8 * i));
  return out;
}

// "a.b" in the form of the wire.
std::string Name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    out += static_cast<char>(dot);
    out += name.substr(0, dot);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return out + '\0';
}

// A DNS server on a loopback port: answers each question with the records of its type, or with a code.
class FakeDns {
 public:
  FakeDns() {
    fd_ = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    server_ = {"127.0.0.1", ntohs(address.sin_port)};
  }
  ~FakeDns() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  // Starts it.
  const DnsServer* server() {
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    return &server_;
  }

  // Set before server().
  std::map<int, std::vector<std::string>> records;  // by type, record data
  std::atomic<int> code{0};

 private:
  void Run() {
    while (!stopping_) {
      pollfd ready{fd_, POLLIN, 0};
      if (poll(&ready, 1, 20) <= 0) continue;
      char question[512];
      sockaddr_in from{};
      socklen_t from_size = sizeof from;
      const ssize_t n =
          recvfrom(fd_, question, sizeof question, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
      if (n < 12) continue;
      std::string_view asked(question, static_cast<size_t>(n));
      const size_t name_end = asked.find('\0', 12) + 1;
      const int type =
          static_cast<unsigned char>(asked[name_end]) << 8 | static_cast<unsigned char>(asked[name_end + 1]);
      const auto& found = records[type];
      std::string answer = StrCat(asked.substr(0, 2), Number(0x8180u | static_cast<uint32_t>(code.load()), 2),
                                  Number(1, 2), Number(static_cast<uint32_t>(found.size()), 2), Number(0, 4));
      answer += asked.substr(12, name_end - 12 + 4);
      for (const std::string& data : found) {
        StrAppend(&answer, "\xc0\x0c", Number(static_cast<uint32_t>(type), 2), Number(1, 2), Number(60, 4),
                  Number(static_cast<uint32_t>(data.size()), 2), data);
      }
      sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), from_size);
    }
  }

  int fd_;
  DnsServer server_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

std::string Lookup(FakeDns& dns, const std::string& type) {
  auto records = LookupDns("x.example", type, dns.server());
  if (!records.ok()) return std::string(records.status().message());
  std::string out;
  for (const DnsRecord& record : *records) StrAppend(&out, record.target, ":", record.port, " ");
  return out;
}

TEST(DnsLookup, ReadsAllTypes) {
  FakeDns dns;
  dns.records[1] = {std::string("\x0a\0\0\x01", 4), std::string("\x0a\0\0\x02", 4)};
  dns.records[28] = {std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)};
  dns.records[33] = {Number(1, 2) + Number(2, 2) + Number(9100, 2) + Name("host.example")};
  dns.records[15] = {Number(10, 2) + Name("mail.example")};
  dns.records[2] = {Name("ns.example")};
  EXPECT_EQ(Lookup(dns, "A"), "10.0.0.1:0 10.0.0.2:0 ");
  EXPECT_EQ(Lookup(dns, "AAAA"), "2001:db8::1:0 ");
  EXPECT_EQ(Lookup(dns, "SRV"), "host.example:9100 ");
  EXPECT_EQ(Lookup(dns, "MX"), "mail.example:0 ");
  EXPECT_EQ(Lookup(dns, "NS"), "ns.example:0 ");
}

TEST(DnsLookup, ANameThatDoesNotExistHasNoRecords) {
  FakeDns dns;
  dns.code = 3;
  EXPECT_EQ(Lookup(dns, "A"), "");
}

TEST(DnsLookup, ABrokenServerIsAnError) {
  FakeDns dns;
  dns.code = 2;
  EXPECT_EQ(Lookup(dns, "A"), "could not resolve \"x.example\": no servers returned a viable answer");
}

TEST(DnsLookup, RecordsWithNonsenseInThemAreLeftOut) {
  FakeDns dns;
  dns.records[1] = {"abc", std::string("\x0a\0\0\x01", 4)};
  dns.records[33] = {Number(1, 2), Number(1, 2) + Number(2, 2) + Number(9100, 2) + "\xff\xff"};
  EXPECT_EQ(Lookup(dns, "A"), "10.0.0.1:0 ");
  EXPECT_EQ(Lookup(dns, "SRV"), "");
}

}  // namespace
}  // namespace narthex::discovery
