// Temporary: stands in until the bodies of ids, files_from and modes arrive; delete what they replace.
#include "libsync/list/files_from.h"
#include "libsync/list/ids.h"
#include "libsync/meta/modes.h"
namespace ocsync::sync {
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
Status forward_names(ByteSource&, bool, Writer&, const std::function<void(std::string_view)>&){return {};}
std::string sanitized_name(std::string_view n, bool){return std::string(n);}
Result<std::optional<std::string>> NameListReader::next(){return std::optional<std::string>();}
}
