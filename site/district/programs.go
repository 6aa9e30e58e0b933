package district

import (
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Program is one of those that read a district file. Each reads sections of its own,
// checks them, and leaves the others alone.
type Program string

// The programs.
const (
	Provision    Program = "provision"
	Addressbooks Program = "addressbooks"
	Galprobe     Program = "galprobe"
	Migrate      Program = "migrate"
	// Watch does what Provision and Addressbooks do, for whoever has just changed.
	Watch Program = "watch"
)

// Programs are all of them.
func Programs() []Program { return []Program{Provision, Addressbooks, Galprobe, Migrate, Watch} }

// readers says who reads which section.
var readers = map[string][]Program{
	"site":         {Provision, Addressbooks, Galprobe, Migrate, Watch},
	"export":       {Provision, Watch},
	"source":       {Provision, Watch},
	"school":       {Provision, Watch},
	"directory":    {Provision, Addressbooks, Watch},
	"ox":           {Provision, Addressbooks, Galprobe, Watch},
	"mail":         {Provision, Watch},
	"notices":      {Provision, Watch},
	"state":        {Provision, Watch},
	"passwords":    {Provision, Watch},
	"time_limits":  {Provision, Watch},
	"population":   {Provision, Watch},
	"context":      {Provision, Addressbooks, Galprobe, Watch},
	"naming":       {Provision, Watch},
	"classes":      {Provision, Watch},
	"life_cycle":   {Provision, Watch},
	"guards":       {Provision, Watch},
	"term_change":  {Provision, Watch},
	"override":     {Provision, Watch},
	"link":         {Provision, Watch},
	"distinct":     {Provision, Watch},
	"spelling":     {Provision, Watch},
	"exclude":      {Addressbooks, Watch},
	"addressbooks": {Addressbooks, Watch},
	"galprobe":     {Galprobe},
	"migrate":      {Migrate},
	"watch":        {Watch},
}

// reads reports whether the program that the file is loaded for reads a section.
func (l *loader) reads(section string) bool {
	if slices.Contains(l.without, section) && !l.given(section) {
		return false
	}
	return l.program == "" || slices.Contains(readers[section], l.program)
}

// AddressbooksSection is the section [addressbooks].
type AddressbooksSection struct {
	Rules               string `toml:"rules"` // file
	UserAgent           string `toml:"user_agent"`
	RequestsPer5Minutes int    `toml:"requests_per_5_minutes"` // 0: 1500, -1: no limit
	// Salt makes the keys of entries unguessable; see [addressbook.Rules].
	Salt     schoolmail.Secret `toml:"salt"`
	SaltFile string            `toml:"salt_file"`
	Provider Provider          `toml:"provider"`
}

// WatchSection is the section [watch].
type WatchSection struct {
	Notifier        string            `toml:"notifier"`         // host:6669; empty: the directory is polled
	IntervalSeconds int               `toml:"interval_seconds"` // between two polls
	SettleSeconds   int               `toml:"settle_seconds"`   // of quiet before changes are acted upon
	Adopt           []schoolmail.Role `toml:"adopt"`            // of people entered by hand
	AdoptLimit      int               `toml:"adopt_limit"`      // at once
	NoBooks         bool              `toml:"no_books"`
}

// Provider is the section [addressbooks.provider]: the LDAP contacts provider of
// Open-Xchange; see [addressbook.ProviderOptions].
type Provider struct {
	Host             string            `toml:"host"`
	Port             int               `toml:"port"`
	BaseDN           string            `toml:"base_dn"`
	BindDN           string            `toml:"bind_dn"`
	BindPassword     schoolmail.Secret `toml:"bind_password"`
	BindPasswordFile string            `toml:"bind_password_file"`
	Filter           string            `toml:"filter"`
}

// GalprobeSection is the section [galprobe].
type GalprobeSection struct {
	ControlURL    string   `toml:"control_url"`    // how the control accounts reach Open-Xchange past a proxy
	DAVRoot       string   `toml:"dav_root"`       // where /carddav/ lies
	ServerVersion string   `toml:"server_version"` // for the evidence, if the server does not tell
	Book          string   `toml:"book"`           // an address book that is to be readable
	Exempt        []string `toml:"exempt"`         // who may see the global address book
}

// Probe is an account that galprobe logs in as.
type Probe struct {
	Role         string            `toml:"role"`
	Login        string            `toml:"login"`
	Password     schoolmail.Secret `toml:"password"`
	PasswordFile string            `toml:"password_file"`
}

// MigrateSection is the section [migrate]: the servers, the rules, one wave.
type MigrateSection struct {
	From             string            `toml:"from"` // imap:// or imaps:// with the admin's name
	FromPassword     schoolmail.Secret `toml:"from_password"`
	FromPasswordFile string            `toml:"from_password_file"`
	To               string            `toml:"to"`
	ToPassword       schoolmail.Secret `toml:"to_password"`
	ToPasswordFile   string            `toml:"to_password_file"`
	Insecure         bool              `toml:"insecure"` // clear text with imap://
	FromCAFile       string            `toml:"from_ca_file"`
	ToCAFile         string            `toml:"to_ca_file"`
	FromTokenFile    string            `toml:"from_token_file"` // OAuth, read at each login
	FromTokenCommand string            `toml:"from_token_command"`
	ToTokenFile      string            `toml:"to_token_file"`
	ToTokenCommand   string            `toml:"to_token_command"`
	Preset           string            `toml:"preset"` // gmail, exchange
	Attempts         int               `toml:"attempts"`
	Timeout          string            `toml:"timeout"` // "5m"

	StateDir           string `toml:"state_dir"`
	FromConnections    int    `toml:"from_connections"`
	ToConnections      int    `toml:"to_connections"`
	FromBytesPerSecond int64  `toml:"from_bytes_per_second"`

	Wave        string            `toml:"wave"`  // name
	Users       string            `toml:"users"` // file with accounts
	Parallel    int               `toml:"parallel"`
	CutOver     bool              `toml:"cut_over"`
	KeepDeleted bool              `toml:"keep_deleted"`
	MaxDeleted  float64           `toml:"max_deleted"`
	MaxSize     int64             `toml:"max_size"` // bytes
	Since       string            `toml:"since"`    // 2020-12-31
	CopyQuota   bool              `toml:"copy_quota"`
	Flags       map[string]string `toml:"flags"`
	Windows     []Window          `toml:"window"`
	Folders     Folders           `toml:"folders"`
	Spool       Spool             `toml:"spool"`
}

// Window is a section [[migrate.window]].
type Window struct {
	Begin time.Time `toml:"begin"`
	End   time.Time `toml:"end"`
}

// Folders is the section [migrate.folders].
type Folders struct {
	Map         map[string]string `toml:"map"`
	Roles       map[string]string `toml:"roles"`
	Skip        []string          `toml:"skip"`
	Only        []string          `toml:"only"`
	Virtual     bool              `toml:"virtual"`
	Forbidden   string            `toml:"forbidden"`
	NoNameTable bool              `toml:"no_name_table"`
}

// Spool is the section [migrate.spool]: where Cyrus' files lie and where the Maildirs go.
type Spool struct {
	Partitions []string `toml:"partitions"` // partition-* of imapd.conf
	Meta       []string `toml:"meta"`       // metapartition-*, in the same order, if there are any
	Archive    []string `toml:"archive"`    // archivepartition-*
	Config     string   `toml:"config"`     // configdirectory
	OldNames   bool     `toml:"old_names"`  // unixhierarchysep: no
	Maildir    string   `toml:"maildir"`    // %u user, %n user without domain, %d domain
	Layout     string   `toml:"layout"`     // "" or "fs"
	Separator  string   `toml:"separator"`
	Prefix     string   `toml:"prefix"`
	Owner      string   `toml:"owner"`   // "vmail:vmail" or "1000:1000"
	NoSync     bool     `toml:"no_sync"` // faster, and lost with the power
}
