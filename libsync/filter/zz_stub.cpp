// Temporary: stands in until the bodies of the filter room, ids, files_from and modes arrive; delete it with them.
#include "libsync/filter/rules.h"
#include "libsync/list/ids.h"
#include "libsync/meta/modes.h"
namespace ocsync::sync {
struct FilterRules::List {};
FilterRules::FilterRules()=default; FilterRules::~FilterRules()=default; FilterRules::FilterRules(FilterRules&&) noexcept=default; FilterRules& FilterRules::operator=(FilterRules&&) noexcept=default;
Result<FilterRules> FilterRules::from_options(const Options&, const ReadRuleFile&){return FilterRules();}
Result<FilterRules> FilterRules::from_wire(const std::vector<std::string>&, const Options&, const proto::Agreement&){return FilterRules();}
Status FilterRules::add_server_rules(const Options&, const proto::Agreement&){return {};}
Result<std::vector<std::string>> FilterRules::to_wire(const Options&, const proto::Agreement&) const {return std::vector<std::string>();}
bool FilterRules::empty() const {return true;} bool FilterRules::has_per_directory() const {return false;}
struct FilterScope::State{};
Result<FilterScope> FilterScope::at_root(const FilterRules&, Side, const std::string&, const io::Dir&){return FilterScope();}
Result<FilterScope> FilterScope::enter(const std::string&, const io::Dir&) const {return *this;}
Verdict FilterScope::verdict(std::string_view,bool,bool) const {return Verdict::kNoMatch;}
struct NS:NameService{std::optional<std::string> user_name(uint32_t) override{return {};} std::optional<std::string> group_name(uint32_t) override{return {};} std::optional<uint32_t> user_id(const std::string&) override{return {};} std::optional<uint32_t> group_id(const std::string&) override {return {};}};
std::unique_ptr<NameService> system_names(){return std::make_unique<NS>();}
IdMap::Setup IdMap::Setup::of_process(const Options&, bool){return {};}
Result<IdMap> IdMap::from_options(const Options&, Setup, NameService&){return IdMap();}
uint32_t IdMap::map_user(uint32_t u, std::string_view){return u;}
IdMap::MappedGroup IdMap::map_group(uint32_t g, std::string_view){return {g,true};}
void IdMap::learn_users(const proto::IdList&){} void IdMap::learn_groups(const proto::IdList&){}
bool IdNames::note(Table&,uint32_t,bool){return false;}
std::string_view IdNames::user_name(uint32_t){return {};} std::string_view IdNames::group_name(uint32_t){return {};}
proto::IdList IdNames::user_list(){return {};} proto::IdList IdNames::group_list(){return {};}
Result<ModeChanges> ModeChanges::parse(std::string_view,uint32_t){return ModeChanges();} uint32_t ModeChanges::apply(uint32_t m) const {return m;}
uint32_t dest_mode(uint32_t l,std::optional<uint32_t> e,ModePolicy,uint32_t d){return e?(l&~07777u)|(*e&07777):l&(~07777u|d);}
}
#include "libsync/list/files_from.h"
namespace ocsync::sync {
Status forward_names(ByteSource&, bool, Writer&, const std::function<void(std::string_view)>&){return {};}
std::string sanitized_name(std::string_view n, bool){return std::string(n);}
Result<std::optional<std::string>> NameListReader::next(){return std::optional<std::string>();}
}
