// Host specifications, journeys, and the words of a remote shell.
#include "libsync/options/operands.h"

#include "tests/unit/options/support.h"

using namespace ocsync;
using namespace ocsync::sync;
using namespace ocsync::sync::test;

using Where = Operand::Where;

namespace {

// "KIND user|host|port|path" of an operand.
std::string told(const char* text) {
  const Operand o = parse_operand(text);
  const char* kind = o.where == Where::kLocal ? "local" : o.where == Where::kShell ? "shell" : "daemon";
  return std::string(kind) + " " + (o.has_user ? o.user : "-") + "|" + o.host + "|" + std::to_string(o.port) + "|" +
         o.path;
}

std::string plan_complaint(const std::string& line) {
  const auto command = parse(line);
  REQUIRE(command.has_value());
  const auto journey = plan_journey(command->options);
  return journey ? "accepted" : journey.error().text;
}

Journey plan(const std::string& line) {
  const auto command = parse(line);
  REQUIRE(command.has_value());
  const auto journey = plan_journey(command->options);
  INFO((journey ? "" : journey.error().text));
  REQUIRE(journey.has_value());
  return *journey;
}

}  // namespace

TEST_CASE("operand: local, by shell, by daemon") {
  CHECK(told("a/b") == "local -||0|a/b");
  CHECK(told("./a:b") == "local -||0|./a:b");
  CHECK(told("/a:b") == "local -||0|/a:b");
  CHECK(told("") == "local -||0|");
  CHECK(told("h:p") == "shell -|h|0|p");
  CHECK(told("h:") == "shell -|h|0|");
  CHECK(told(":p") == "shell -||0|p");
  CHECK(told("u@h:p:q") == "shell u|h|0|p:q");
  CHECK(told("u@v@h:p") == "shell u@v|h|0|p");
  CHECK(told("@h:p") == "shell |h|0|p");
  CHECK(told("h::m/p") == "daemon -|h|0|m/p");
  CHECK(told("h::") == "daemon -|h|0|");
  CHECK(told("u@h::m") == "daemon u|h|0|m");
  CHECK(told("rsync://h/m/p") == "daemon -|h|0|m/p");
  CHECK(told("RSYNC://u@h:8873/m") == "daemon u|h|8873|m");
  CHECK(told("rsync://h") == "daemon -|h|0|");
  CHECK(told("rsync://h:99") == "daemon -|h|99|");
}

TEST_CASE("operand: IPv6 addresses lose their brackets") {
  CHECK(told("[::1]:p") == "shell -|::1|0|p");
  CHECK(told("u@[fe80::1%eth0]:p") == "shell u|fe80::1%eth0|0|p");
  CHECK(told("[::1]::m") == "daemon -|::1|0|m");
  CHECK(told("rsync://[::1]:99/m") == "daemon -|::1|99|m");
  CHECK(told("rsync://u@[::1]/m") == "daemon u|::1|0|m");
  CHECK(told("[::1") == "local -||0|[::1");
  CHECK(told("[]:p") == "local -||0|[]:p");
  CHECK(told("x[::1]:p") == "local -||0|x[::1]:p");
  CHECK(told("[::1]x:p") == "local -||0|[::1]x:p");
}

TEST_CASE("operand: a URL with a port that is none is read as a host named rsync") {
  CHECK(told("rsync://h:80x/m") == "shell -|rsync|0|//h:80x/m");
  CHECK(told("rsync://h:99999999999/m") == "shell -|rsync|0|//h:99999999999/m");
}

TEST_CASE("journey: local, push and pull") {
  const Journey local = plan("-r a b c");
  CHECK(local.kind == Journey::Kind::kLocal);
  CHECK(local.sources == std::vector<std::string>{"a", "b"});
  CHECK(local.destination == "c");
  const Journey list = plan("a");
  CHECK(list.sources == std::vector<std::string>{"a"});
  CHECK_FALSE(list.destination.has_value());

  const Journey push = plan("a b u@h:");
  CHECK(push.kind == Journey::Kind::kPush);
  CHECK(push.destination == ".");
  CHECK(push.far.user_and_host() == "u@h");
  CHECK_FALSE(push.daemon);

  const Journey pull = plan("h:a :b h:c d");
  CHECK(pull.kind == Journey::Kind::kPull);
  CHECK(pull.sources == std::vector<std::string>{"a", "b", "c"});
  CHECK(pull.destination == "d");
  CHECK_FALSE(plan("h:a :b").destination.has_value());
  CHECK(plan("h: d").sources == std::vector<std::string>{"."});
}

TEST_CASE("journey: daemons, by socket or by shell") {
  const Journey socket = plan("rsync://h:99/m/x d");
  CHECK(socket.daemon);
  CHECK_FALSE(socket.daemon_by_shell);
  CHECK(socket.far.port == 99);
  CHECK(plan("h:: d").sources == std::vector<std::string>{""});
  CHECK(plan("-e ssh h::m d").daemon_by_shell);
  CHECK_FALSE(plan("-e ssh h:m d").daemon);
}

TEST_CASE("journey: complaints, as rsync words them") {
  CHECK(plan_complaint("a:b c:d") == "The source and destination cannot both be remote.");
  CHECK(plan_complaint("h:a k:b c") == "All source args must come from the same machine.");
  CHECK(plan_complaint("u@h:a h:b c") == "All source args must come from the same machine.");
  CHECK(plan_complaint("h:a h::b c") == "All source args must use the same hostspec format.");
  CHECK(plan_complaint("rsync://h:1/a rsync://h:2/b c") == "All source args must use the same port number.");
  CHECK(plan_complaint("h:a ./b c") ==
        "Unexpected local arg: ./b\nIf arg is a remote file/dir, prefix it with a colon (:).");
  CHECK(plan_complaint("a h:b c") == "Unexpected remote arg: h:b");
  CHECK(plan_complaint("-r a -- -h:c") == "Invalid remote host: hostnames may not start with '-'.");
  CHECK(plan_complaint("--files-from=k:l h:a b") == "--files-from hostname is not the same as the transfer hostname");
  CHECK(plan_complaint("--files-from=:l a b") == "--files-from cannot be remote when the transfer is local");
  CHECK(plan_complaint("--files-from=:l h:a b") == "accepted");
}

TEST_CASE("journey: empty operands") {
  const auto with = environment();
  const auto complaint_about = [&](std::vector<std::string> args) {
    args.insert(args.begin(), "rsync");
    const auto command = parse_command_line(args, with);
    REQUIRE(command.has_value());
    const auto journey = plan_journey(command->options);
    return journey ? std::string("accepted") : journey.error().text;
  };
  CHECK(complaint_about({"", "b"}) == "Empty source arg specified.");
  CHECK(complaint_about({"a", "", "b"}) == "Empty source arg specified.");
  CHECK(complaint_about({"a", ""}) == "Empty destination arg specified (use \".\" or see --old-args).");
  CHECK(complaint_about({"--old-args", "a", ""}) == "accepted");
}

TEST_CASE("shell command: quotes") {
  CHECK(*split_shell_command("ssh -p 22") == std::vector<std::string>{"ssh", "-p", "22"});
  CHECK(*split_shell_command("  ssh  ") == std::vector<std::string>{"ssh"});
  CHECK(*split_shell_command("ssh -o 'Proxy Command=x y'") ==
        std::vector<std::string>{"ssh", "-o", "Proxy Command=x y"});
  CHECK(*split_shell_command("a \"it's\" 'say \"x\"'") == std::vector<std::string>{"a", "it's", "say \"x\""});
  CHECK(*split_shell_command("a 'don''t'") == std::vector<std::string>{"a", "don't"});
  CHECK(*split_shell_command("a pre'mid dle'post") == std::vector<std::string>{"a", "premid dlepost"});
  CHECK(split_shell_command("")->empty());
  CHECK(split_shell_command("a 'b").error().text == "Missing trailing-' in remote-shell command.");
}

TEST_CASE("shell words: user, address family, host") {
  Options options;
  Operand far = parse_operand("u@h:x");
  CHECK(*shell_words(options, "ssh", far, false) == std::vector<std::string>{"ssh", "-l", "u", "h"});
  options.address_family = 6;
  options.shell = "/usr/bin/ssh -x";
  CHECK(*shell_words(options, "ssh", far, false) ==
        std::vector<std::string>{"/usr/bin/ssh", "-x", "-l", "u", "-6", "h"});
  options.shell = "rsh -l v";
  CHECK(*shell_words(options, "ssh", far, true) == std::vector<std::string>{"rsh", "-l", "v", "h"});
  CHECK(*shell_words(options, "ssh", far, false) == std::vector<std::string>{"rsh", "-l", "v", "-l", "u", "h"});
  far.host = "-oProxyCommand=x";
  CHECK(shell_words(options, "ssh", far, false).error().fault == Fault::kUsage);
}
