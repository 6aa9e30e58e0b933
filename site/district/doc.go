// Package district reads the one configuration file of all programs, district.toml:
// where the servers of a district are, and its policy.
//
//	c, err := district.Load("district.toml", nil)
//	plan, err := schoolmail.NewPlan(c.Policy(), ...)
//
// [site.Load] does more of it: it makes settings of the file.
//
// Load checks everything and reports all mistakes at once, each with file, line,
// column, key and what is expected; unknown keys and sections are mistakes too, since
// a misspelt limit is no limit. What is left out gets the default that the written
// file names in its comments: [Write] produces a complete, commented file from any
// Config, which is the reference for operators.
//
// # Sections
//
//	[site]          name, language, list_files         all programs
//	[export]        where the export is, and its form  provision
//	[directory]     UCS@school over LDAP               provision, addressbooks
//	[ox]            Open-Xchange: SOAP and HTTP API    provision, addressbooks, galprobe
//	[[context]]     a context of Open-Xchange          provision, addressbooks, galprobe
//	[mail]          Dovecot's doveadm                  provision
//	[notices]       the mail relay                     provision
//	[state]         journal, plans, reports            provision
//	[passwords]     how schools get those of accounts  provision
//	[time_limits]   when servers are given up          provision
//	[[population]]  who lives where                    provision
//	[naming] [classes] [life_cycle] [guards] [[term_change]]  provision: the rest of the policy
//	[[override]] [[link]] [[distinct]] [[spelling]]    provision: what somebody has decided
//	[[exclude]]     who is in no address book          addressbooks
//	[addressbooks] [galprobe] [migrate] [watch]        the program of that name
//
// Watch reads what provision and addressbooks read, besides its own section. A program
// reads its own sections and leaves those of the others alone: a mistake in
// [migrate] does not keep the night's run from its work. The policy's own lists may
// stand in files of their own, which list_files of [site] names.
//
// # Secrets
//
// Each password and key can stand in the file itself or in a file of its own:
//
//	password      = "..."
//	password_file = "ox.secret"   # relative to the district file
//
// Of such a file the trailing line end is cut off. Config.Warnings says which
// files with secrets other users of the machine can read. Error messages never
// show values of secrets or lines of the file.
//
// # Paths
//
// Relative paths are relative to the directory of the district file. A byte order
// mark before the first line is skipped.
package district

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/mistakes"
	"github.com/ictmedia/schoolmail/ucs"
)

// Config is a whole configuration, defaults filled in and secrets read.
type Config struct {
	File     string   `toml:"-"` // where it was read from
	Warnings []string `toml:"-"` // what does not hinder but should be mended

	Site      Site      `toml:"site"`
	Export    Export    `toml:"export"`
	Sources   []Source  `toml:"source"`
	Directory Directory `toml:"directory"`
	OX        OX        `toml:"ox"`
	Mail      Mail      `toml:"mail"`
	Notices   Notices   `toml:"notices"`
	State     State     `toml:"state"`
	Passwords Passwords `toml:"passwords"`

	TimeLimits TimeLimits `toml:"time_limits"`

	Populations []Population `toml:"population"`
	Contexts    []Context    `toml:"context"`
	Naming      Naming       `toml:"naming"`
	Classes     Classes      `toml:"classes"`
	LifeCycle   LifeCycle    `toml:"life_cycle"`
	Guards      Guards       `toml:"guards"`
	TermChanges []TermChange `toml:"term_change"`
	Overrides   []Override   `toml:"override"`
	Schools     []School     `toml:"school"`
	Links       []Link       `toml:"link"`
	Distinct    []Distinct   `toml:"distinct"`
	Spellings   []Spelling   `toml:"spelling"`
	Excludes    []Exclude    `toml:"exclude"`

	Addressbooks AddressbooksSection `toml:"addressbooks"`
	Galprobe     GalprobeSection     `toml:"galprobe"`
	Migrate      MigrateSection      `toml:"migrate"`
	Watch        WatchSection        `toml:"watch"`
}

// Site is the section [site].
type Site struct {
	Name     string `toml:"name"`     // in reports and notices
	Language string `toml:"language"` // of people whose record names none: de, fr, it or en
	// ReportLanguage is that of the pages that runs leave: de, fr or en.
	ReportLanguage string `toml:"report_language"`
	Parallel       int    `toml:"parallel"` // people worked on at once
	// ListFiles hold further sections [[link]], [[distinct]], [[spelling]], [[override]] and
	// [[exclude]].
	ListFiles []string `toml:"list_files"`
	Sandbox   bool     `toml:"sandbox"` // made-up people: plans of other days may be applied
}

// Export is the section [export]; see [escada.Profile] for its fields. With
// Profile, the name of one of [escada.Starters] or of a TOML file, the other
// fields of the profile are not given here; Described is then that profile.
type Export struct {
	Dir           string                       `toml:"dir"`
	Profile       string                       `toml:"profile"`
	Described     *escada.Profile              `toml:"-"`
	Source        string                       `toml:"source"`
	Delimiter     string                       `toml:"delimiter"`
	Encoding      escada.Encoding              `toml:"encoding"`
	Quoting       escada.Quoting               `toml:"quoting"`
	DateFormat    string                       `toml:"date_format"`
	Columns       map[escada.Column][]string   `toml:"columns"`
	Optional      []escada.Column              `toml:"optional"`
	Roles         map[schoolmail.Role][]string `toml:"roles"`
	Levels        map[string][]string          `toml:"levels"`
	ClassOptional bool                         `toml:"class_optional"`
	Files         []string                     `toml:"files"`
	DeltaFiles    []string                     `toml:"delta_files"`
	RequiredFiles []string                     `toml:"required_files"`
	Trailer       string                       `toml:"trailer"`
	OpenEnd       bool                         `toml:"open_end"`
	Strict        bool                         `toml:"strict"`

	MaxAgeDays      int               `toml:"max_age_days"`   // of the newest file, for absence to count
	SettleSeconds   int               `toml:"settle_seconds"` // a file must have been left alone
	AcceptOlder     bool              `toml:"accept_older"`
	AcceptColumns   bool              `toml:"accept_columns"`
	IdentityKey     schoolmail.Secret `toml:"identity_key"`
	IdentityKeyFile string            `toml:"identity_key_file"`
	Budget          Budget            `toml:"budget"`
	// PairsFiles are signed lists of new record ids, read into Rekeyings; see [ReadSigned].
	PairsFiles []string              `toml:"pairs_files"`
	Rekeyings  []schoolmail.Rekeying `toml:"-"`
}

// Source is a section [[source]]: a further system beside [export] that describes
// people, see [escada.Part]. While [export] is missing, only its own people do not
// count as gone: those whose ids begin with no source's prefix. What [export] says of ages, budget and identity holds
// for it, too.
type Source struct {
	Prefix    string                `toml:"prefix"` // before the ids of its people
	Dir       string                `toml:"dir"`
	Profile   string                `toml:"profile"`
	Described *escada.Profile       `toml:"-"`
	Schools   []schoolmail.SchoolID `toml:"schools"`
	Roles     []schoolmail.Role     `toml:"roles"`
}

// Parts are the further sources.
func (c *Config) Parts() []escada.Part {
	var parts []escada.Part
	for _, x := range c.Sources {
		o := c.ExportOptions()
		o.Profile = x.Described
		parts = append(parts, escada.Part{
			Prefix: x.Prefix, Schools: x.Schools, Roles: x.Roles,
			Dir: escada.Dir{Path: x.Dir, Options: &o, Language: c.Site.Language},
		})
	}
	return parts
}

// Budget is the section [export.budget]; see [escada.Budget].
type Budget struct {
	Rows   int `toml:"rows_percent"`
	School int `toml:"school_percent"`
	Codes  int `toml:"codes_percent"`
	Least  int `toml:"least_rows"`
}

// ExportOptions returns how exports are read beside their profile.
func (c *Config) ExportOptions() escada.Options {
	e := c.Export
	o := escada.Options{
		MaxAge: time.Duration(e.MaxAgeDays) * 24 * time.Hour, Settle: time.Duration(e.SettleSeconds) * time.Second,
		AllowOlder: e.AcceptOlder, AllowColumns: e.AcceptColumns, Budget: escada.Budget(e.Budget),
	}
	if e.IdentityKey != "" {
		o.IdentityKey = []byte(e.IdentityKey)
	}
	return o
}

// Directory is the section [directory]: UCS@school over LDAP.
type Directory struct {
	URL            string            `toml:"url"`
	BindDN         string            `toml:"bind_dn"`
	Password       schoolmail.Secret `toml:"password"`
	PasswordFile   string            `toml:"password_file"`
	BaseDN         string            `toml:"base_dn"`
	Plaintext      bool              `toml:"plaintext"`
	CAFile         string            `toml:"ca_file"`
	PoolSize       int               `toml:"pool_size"`
	PageSize       int               `toml:"page_size"`
	CreateSchools  bool              `toml:"create_schools"`
	OXAccess       string            `toml:"ox_access"`
	MailHomeServer string            `toml:"mail_home_server"`
	StateAttribute string            `toml:"state_attribute"`
	S4Connector    bool              `toml:"s4_connector"`
	BesideUDM      bool              `toml:"beside_udm"`
	// Stamps and Write are words of package ucs; UDM is the REST API that Write
	// may need, and StateProperty the extended attribute for StateAttribute there.
	Stamps          ucs.Stamps        `toml:"stamps"`
	Write           ucs.WriteMode     `toml:"write"`
	UDMURL          string            `toml:"udm_url"`
	UDMUser         string            `toml:"udm_user"`
	UDMPassword     schoolmail.Secret `toml:"udm_password"`
	UDMPasswordFile string            `toml:"udm_password_file"`
	StateProperty   string            `toml:"state_property"`

	ClassesInOX bool              `toml:"classes_in_ox"`
	OXProfiles  map[string]string `toml:"ox_profiles"` // access combination to access profile
	Windows     WindowsTemplates  `toml:"windows"`
}

// WindowsTemplates is the section [directory.windows]; see [ucs.Windows].
type WindowsTemplates struct {
	HomePath    string `toml:"home_path"`
	HomeDrive   string `toml:"home_drive"`
	ProfilePath string `toml:"profile_path"`
	LogonScript string `toml:"logon_script"`
}

// OX is the section [ox].
type OX struct {
	SOAPURLs           []string          `toml:"soap_urls"` // each ends in /webservices
	HTTPURL            string            `toml:"http_url"`  // of the HTTP API, for address books
	Plaintext          bool              `toml:"plaintext"` // http is allowed to other machines
	MasterLogin        string            `toml:"master_login"`
	MasterPassword     schoolmail.Secret `toml:"master_password"`
	MasterPasswordFile string            `toml:"master_password_file"`
	CopyLogin          string            `toml:"copy_login"` // how to log in as any user; see write.go
	CopyPassword       schoolmail.Secret `toml:"copy_password"`
	CopyPasswordFile   string            `toml:"copy_password_file"`
	CAFile             string            `toml:"ca_file"`
	AdminAccess        string            `toml:"admin_access"`
	MaxQuotaMB         int64             `toml:"max_quota_mb"` // of new contexts; 0: unlimited
	TimeZone           string            `toml:"time_zone"`
	MaxInFlight        int               `toml:"max_in_flight"`
	CopyWaitSeconds    int               `toml:"copy_wait_seconds"` // see [ox.Options].CopyWait
	UpdateWaitSeconds  int               `toml:"update_wait_seconds"`
	ReadUsers          string            `toml:"read_users"` // "soap", "http" or "auto"
}

// Mail is the section [mail]: Dovecot.
type Mail struct {
	URL          string            `toml:"doveadm_url"`
	APIKey       schoolmail.Secret `toml:"api_key"`
	APIKeyFile   string            `toml:"api_key_file"`
	Password     schoolmail.Secret `toml:"password"`
	PasswordFile string            `toml:"password_file"`
	Hosts        []string          `toml:"hosts"`
	Plaintext    bool              `toml:"plaintext"` // http is allowed to other machines
	CAFile       string            `toml:"ca_file"`
	MailRoot     string            `toml:"mail_root"`
	Login        string            `toml:"login"`     // under which name Dovecot knows people: "mail" or "username"
	Mailboxes    []string          `toml:"mailboxes"` // besides INBOX
	QuotaMB      int64             `toml:"quota_mb"`  // 0: not looked at
	QuotaDict    string            `toml:"quota_dict"`
	Concurrency  int               `toml:"concurrency"`
}

// Notices is the section [notices]: the relay for notices.
type Notices struct {
	Addr         string            `toml:"addr"` // host:port
	From         string            `toml:"from"`
	Hello        string            `toml:"hello"`
	Username     string            `toml:"username"`
	Password     schoolmail.Secret `toml:"password"`
	PasswordFile string            `toml:"password_file"`
	Plaintext    bool              `toml:"plaintext"`
	CAFile       string            `toml:"ca_file"`
	// TextsDir has the site's own texts, see [notify.LoadTexts]; default: those
	// that are shipped.
	TextsDir string `toml:"texts_dir"`
	// RemindDays are days before a mailbox closes on which its person is told once
	// more; an empty list: never. Default: 28 and 7.
	RemindDays []int `toml:"remind_days"`
	// AlsoTell are those who are told together with pupils.
	AlsoTell []AlsoTell `toml:"also_tell"`
	// AtEnd are what becomes of mail to mailboxes that have closed; none: nothing.
	AtEnd []AtEnd `toml:"at_end"`
}

// AtEnd is a section [[notices.at_end]]: what becomes of whose mail after the mailbox has
// closed. The first rule that is about somebody holds.
type AtEnd struct {
	What        string                `toml:"what"`        // answer, forward or nothing
	Days        int                   `toml:"days"`        // how long; default: 90
	Populations []string              `toml:"populations"` // empty: all
	Schools     []schoolmail.SchoolID `toml:"schools"`     // empty: all
}

// DefaultAtEndDays are those of [AtEnd].
const DefaultAtEndDays = 90

// AlsoTell is a section [[notices.also_tell]]: who is told with which pupils. Where
// several rules are about a pupil all of them hold.
type AlsoTell struct {
	Whom        []schoolmail.Relation    `toml:"whom"`
	Populations []string                 `toml:"populations"` // empty: all
	Levels      []schoolmail.SchoolLevel `toml:"levels"`      // empty: all
	Schools     []schoolmail.SchoolID    `toml:"schools"`     // empty: all
}

// DefaultRemindDays are those of [Notices].
func DefaultRemindDays() []int { return []int{28, 7} }

// State is the section [state].
type State struct {
	Dir           string `toml:"dir"`            // journal, plans, reports, initial passwords
	RetentionDays int    `toml:"retention_days"` // how long the folders of runs are kept
	// StatusFile tells a monitor of the last run, see package site/monitor;
	// default: status.json in Dir.
	StatusFile string `toml:"status_file"`
	// MetricsFile has the same for Prometheus' textfile collector; default: none.
	MetricsFile string `toml:"metrics_file"`
}

// TimeLimits is the section [time_limits]: after which servers that do not answer are
// given up, and a run as a whole; 0 is the default.
type TimeLimits struct {
	RunHours      int `toml:"run_hours"`
	Directory     int `toml:"directory_seconds"`
	OX            int `toml:"ox_seconds"`
	OXLongMinutes int `toml:"ox_long_minutes"` // copies of users, and contexts
	Mail          int `toml:"mail_seconds"`
	Relay         int `toml:"relay_seconds"`
}

// Passwords is the section [passwords]: how the schools get those of new accounts.
type Passwords struct {
	Key     string                         `toml:"key"`  // of age, for schools without one
	Keys    map[schoolmail.SchoolID]string `toml:"keys"` // by school
	Letters bool                           `toml:"letters"`
	Change  bool                           `toml:"change_at_first_login"`
}

// DefaultRetentionDays is how long the folders of runs are kept where the file does
// not say: as long as the journal remembers that they can be taken back.
const DefaultRetentionDays = 400

// Population is a section [[population]]; see [schoolmail.Population].
type Population struct {
	Name     string                   `toml:"name"`
	Roles    []schoolmail.Role        `toml:"roles"`
	Levels   []schoolmail.SchoolLevel `toml:"levels"`
	Schools  []schoolmail.SchoolID    `toml:"schools"`
	Contexts []schoolmail.ContextID   `toml:"contexts"`
	Domain   string                   `toml:"domain"`
	Access   string                   `toml:"access"`
}

// Context is a section [[context]]; see [schoolmail.ContextSpec].
type Context struct {
	ID                schoolmail.ContextID `toml:"id"`
	Name              string               `toml:"name"`
	Capacity          int                  `toml:"capacity"`
	Headroom          int                  `toml:"headroom"`
	AdminLogin        string               `toml:"admin_login"`
	AdminPassword     schoolmail.Secret    `toml:"admin_password"`
	AdminPasswordFile string               `toml:"admin_password_file"`
	// What the directory says of the accounts that live there; see [ucs.Extras].
	MailHomeServer string `toml:"mail_home_server"`
	MailQuotaMB    int    `toml:"mail_quota_mb"`
	OXQuotaMB      int    `toml:"ox_quota_mb"`

	ServiceLogin        string            `toml:"service_login"` // writes address books, and sees everybody
	ServicePassword     schoolmail.Secret `toml:"service_password"`
	ServicePasswordFile string            `toml:"service_password_file"`
	Probe               []Probe           `toml:"probe"` // ordinary accounts that galprobe logs in as
}

// LoginName returns a login as the login page wants it: user@context. A login that
// has its context already stays.
func (c Context) LoginName(login string) string {
	if strings.Contains(login, "@") {
		return login
	}
	return login + "@" + cmp.Or(c.Name, strconv.Itoa(int(c.ID)))
}

// Naming is the section [naming]; see [schoolmail.Naming].
type Naming struct {
	MaxUsername      int      `toml:"max_username"`
	MaxPupilUsername int      `toml:"max_pupil_username"`
	Username         string   `toml:"username"` // scheme
	Address          string   `toml:"address"`  // scheme
	Spell            []string `toml:"spell"`
	Reserved         []string `toml:"reserved"`
	// What a changed family name means for user name and address: no, ask, yes.
	FollowFamilyName schoolmail.FollowFamilyName `toml:"follow_family_name"`
	ChangeUsernames  bool                        `toml:"change_usernames"`
	OldAddressDays   int                         `toml:"old_address_days"`
}

// Classes is the section [classes]: for each role whose the classes of its people
// are, always, sent or never; see [schoolmail.ClassRule].
type Classes struct {
	Pupil   schoolmail.ClassRule `toml:"pupil"`
	Teacher schoolmail.ClassRule `toml:"teacher"`
	Staff   schoolmail.ClassRule `toml:"staff"`
}

// rules are those that are given; the others have their defaults.
func (c Classes) rules() map[schoolmail.Role]schoolmail.ClassRule {
	var rules map[schoolmail.Role]schoolmail.ClassRule
	for role, rule := range map[schoolmail.Role]schoolmail.ClassRule{schoolmail.RolePupil: c.Pupil,
		schoolmail.RoleTeacher: c.Teacher, schoolmail.RoleStaff: c.Staff} {
		if rule == "" {
			continue
		}
		if rules == nil {
			rules = map[schoolmail.Role]schoolmail.ClassRule{}
		}
		rules[role] = rule
	}
	return rules
}

// LifeCycle is the section [life_cycle]; see [schoolmail.LifeTimes].
type LifeCycle struct {
	NoticeDays        int `toml:"notice_days"`
	PurgeDays         int `toml:"purge_days"`
	TransferGraceDays int `toml:"transfer_grace_days"`
}

// Guards is the section [guards]; see [schoolmail.Guards].
type Guards struct {
	WindowDays      int    `toml:"window_days"`
	CollapsePercent int    `toml:"collapse_percent"`
	FourEyes        bool   `toml:"four_eyes"` // what is applied was approved by another user
	Usual           Limits `toml:"usual"`
	TermChange      Limits `toml:"term_change"`
}

// Limits are the sections [guards.usual] and [guards.term_change]. A limit that
// is left out is the default one; all of them are set after Load.
type Limits struct {
	Leavers       *Limit `toml:"leavers"`
	Deactivations *Limit `toml:"deactivations"`
	Purges        *Limit `toml:"purges"`
	Transfers     *Limit `toml:"transfers"`
	Roles         *Limit `toml:"roles"`
	PupilRoles    *Limit `toml:"pupil_roles"`
	Classes       *Limit `toml:"classes"`
	Details       *Limit `toml:"details"`
}

// Limit is one limit; see [schoolmail.Limit].
type Limit struct {
	SchoolPercent   int `toml:"school_percent"`
	DistrictPercent int `toml:"district_percent"`
	Free            int `toml:"free"`
}

// TermChange is a section [[term_change]].
type TermChange struct {
	Name  string          `toml:"name"`
	From  schoolmail.Date `toml:"from"`
	Until schoolmail.Date `toml:"until"`
}

// Override is a section [[override]]; see [schoolmail.Override].
type Override struct {
	Guard  string              `toml:"guard"`
	School schoolmail.SchoolID `toml:"school"`
	Until  schoolmail.Date     `toml:"until"`
	By     string              `toml:"by"`
	Reason string              `toml:"reason"`
}

// School is a section [[school]]; see [schoolmail.School].
type School struct {
	ID       schoolmail.SchoolID   `toml:"id"`
	Name     string                `toml:"name"`     // on the school's page
	Language string                `toml:"language"` // of that page: de, fr or en
	Formerly []schoolmail.SchoolID `toml:"formerly"`
	Closed   schoolmail.Date       `toml:"closed"`
}

// Link is a section [[link]]; see [schoolmail.Link].
type Link struct {
	Old    string          `toml:"old"`
	New    string          `toml:"new"`
	Until  schoolmail.Date `toml:"until"`
	By     string          `toml:"by"`
	Reason string          `toml:"reason"`
}

// Spelling is a section [[spelling]]; see [schoolmail.Spelling].
type Spelling struct {
	ID         string `toml:"id"`
	GivenName  string `toml:"given_name"`
	FamilyName string `toml:"family_name"`
}

// Distinct is a section [[distinct]]; see [schoolmail.Distinct].
type Distinct struct {
	A      string `toml:"a"`
	B      string `toml:"b"`
	By     string `toml:"by"`
	Reason string `toml:"reason"`
}

// Exclude is a section [[exclude]]: a person who is in no address book, by record id
// or by user name.
type Exclude struct {
	ID       string `toml:"id"`
	Username string `toml:"username"`
	By       string `toml:"by"`
	Reason   string `toml:"reason"`
}

// Policy returns the site's policy with its defaults filled in.
func (c *Config) Policy() schoolmail.Policy {
	p := schoolmail.Policy{
		Source: c.Export.Source,
		Naming: schoolmail.Naming(c.Naming),
		LifeCycle: schoolmail.LifeTimes{NoticeDays: c.LifeCycle.NoticeDays, RemindDays: c.Notices.RemindDays,
			PurgeDays: c.LifeCycle.PurgeDays, TransferGraceDays: c.LifeCycle.TransferGraceDays},
		Guards: schoolmail.Guards{
			WindowDays: c.Guards.WindowDays, CollapsePercent: c.Guards.CollapsePercent,
			Usual: c.Guards.Usual.policy(), TermChange: c.Guards.TermChange.policy(),
		},
	}
	for _, q := range c.Populations {
		p.Populations = append(p.Populations, schoolmail.Population(q))
	}
	for _, x := range c.Contexts {
		p.Contexts = append(p.Contexts, schoolmail.ContextSpec{ID: x.ID, Name: x.Name, Capacity: x.Capacity,
			Headroom: x.Headroom})
	}
	for _, w := range c.TermChanges {
		p.TermChanges = append(p.TermChanges, schoolmail.Window(w))
	}
	for _, o := range c.Overrides {
		p.Overrides = append(p.Overrides, schoolmail.Override(o))
	}
	for _, x := range c.Schools {
		p.Schools = append(p.Schools, schoolmail.School{ID: x.ID, Formerly: x.Formerly, Closed: x.Closed})
	}
	for _, l := range c.Links {
		p.Links = append(p.Links, schoolmail.Link(l))
	}
	p.Rekeyings = c.Export.Rekeyings
	p.Classes = c.Classes.rules()
	for _, s := range c.Spellings {
		p.Spellings = append(p.Spellings, schoolmail.Spelling(s))
	}
	for _, d := range c.Distinct {
		p.Distinct = append(p.Distinct, schoolmail.Distinct(d))
	}
	return p.WithDefaults()
}

func (l Limits) policy() schoolmail.GuardLimits {
	limit := func(l *Limit) schoolmail.Limit {
		if l == nil {
			return schoolmail.Limit{}
		}
		return schoolmail.Limit(*l)
	}
	return schoolmail.GuardLimits{
		Leavers: limit(l.Leavers), Deactivations: limit(l.Deactivations), Purges: limit(l.Purges),
		Transfers: limit(l.Transfers),
		Roles:     limit(l.Roles), PupilRoles: limit(l.PupilRoles), Classes: limit(l.Classes), Details: limit(l.Details),
	}
}

// FromPolicy sets all sections that the policy knows. Credentials of contexts, and names
// and languages of schools, that c has already stay.
func (c *Config) FromPolicy(p schoolmail.Policy) {
	p = p.WithDefaults()
	c.Export.Source, c.Export.Rekeyings = p.Source, p.Rekeyings
	c.Naming, c.Notices.RemindDays = Naming(p.Naming), append([]int{}, p.LifeCycle.RemindDays...)
	c.LifeCycle = LifeCycle{NoticeDays: p.LifeCycle.NoticeDays, PurgeDays: p.LifeCycle.PurgeDays,
		TransferGraceDays: p.LifeCycle.TransferGraceDays}
	c.Guards.WindowDays, c.Guards.CollapsePercent = p.Guards.WindowDays, p.Guards.CollapsePercent
	c.Guards.Usual, c.Guards.TermChange = fromLimits(p.Guards.Usual), fromLimits(p.Guards.TermChange)
	before := map[schoolmail.ContextID]Context{}
	for _, x := range c.Contexts {
		before[x.ID] = x
	}
	schools := map[schoolmail.SchoolID]School{}
	for _, x := range c.Schools {
		schools[x.ID] = x
	}
	c.Populations, c.Contexts, c.TermChanges, c.Overrides = nil, nil, nil, nil
	c.Schools, c.Links, c.Distinct, c.Spellings = nil, nil, nil, nil
	c.Classes = Classes{Pupil: p.Classes[schoolmail.RolePupil], Teacher: p.Classes[schoolmail.RoleTeacher],
		Staff: p.Classes[schoolmail.RoleStaff]}
	for _, s := range p.Spellings {
		c.Spellings = append(c.Spellings, Spelling(s))
	}
	for _, x := range p.Schools {
		s := schools[x.ID]
		c.Schools = append(c.Schools, School{ID: x.ID, Name: s.Name, Language: s.Language, Formerly: x.Formerly,
			Closed: x.Closed})
	}
	for _, q := range p.Populations {
		c.Populations = append(c.Populations, Population(q))
	}
	for _, s := range p.Contexts {
		x := before[s.ID]
		x.ID, x.Name, x.Capacity, x.Headroom = s.ID, s.Name, s.Capacity, s.Headroom
		c.Contexts = append(c.Contexts, x)
	}
	for _, w := range p.TermChanges {
		c.TermChanges = append(c.TermChanges, TermChange(w))
	}
	for _, o := range p.Overrides {
		c.Overrides = append(c.Overrides, Override(o))
	}
	for _, l := range p.Links {
		c.Links = append(c.Links, Link(l))
	}
	for _, d := range p.Distinct {
		c.Distinct = append(c.Distinct, Distinct(d))
	}
}

func fromLimits(g schoolmail.GuardLimits) Limits {
	limit := func(l schoolmail.Limit) *Limit { return new(Limit(l)) }
	return Limits{limit(g.Leavers), limit(g.Deactivations), limit(g.Purges), limit(g.Transfers),
		limit(g.Roles), limit(g.PupilRoles), limit(g.Classes), limit(g.Details)}
}

// Profile returns how exports are to be read.
func (c *Config) Profile() *escada.Profile {
	e := c.Export
	if e.Described != nil {
		p := *e.Described
		p.Source = e.Source
		return &p
	}
	p := &escada.Profile{
		Source: e.Source, Encoding: e.Encoding, Quoting: e.Quoting, Columns: e.Columns, Optional: e.Optional,
		DateFormat: e.DateFormat, Roles: e.Roles,
		ClassOptional: e.ClassOptional, Files: e.Files, DeltaFiles: e.DeltaFiles, RequiredFiles: e.RequiredFiles,
		Trailer: e.Trailer, OpenEnd: e.OpenEnd, Strict: e.Strict,
	}
	for _, r := range e.Delimiter {
		p.Delimiter = r
		break
	}
	if e.Levels != nil {
		p.Levels = map[schoolmail.SchoolLevel][]string{}
		for level, codes := range e.Levels {
			p.Levels[schoolmail.SchoolLevel(level)] = codes
		}
	}
	return p
}

// TLS returns the settings for a connection that trusts the authorities in a
// PEM file, or those of the system if caFile is empty.
func TLS(caFile string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificates: %s: expected certificates in PEM form", caFile)
	}
	return t, nil
}

// HTTPClient returns a client for Open-Xchange that trusts the authorities in a PEM
// file and follows no redirects; nil, the default of the packages, if caFile is empty.
func HTTPClient(caFile string) (*http.Client, error) {
	if caFile == "" {
		return nil, nil
	}
	t, err := TLS(caFile)
	if err != nil {
		return nil, err
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig, tr.MaxIdleConnsPerHost, tr.Proxy, tr.ReadBufferSize = t, 64, nil, 128<<10
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}, nil
}

// Kind is a sort of mistake in a config file. It is an error, to be tested for with
// errors.Is on what [Load] and [Decode] return.
type Kind string

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	ErrSyntax  Kind = "not a district file" // no TOML
	ErrUnknown Kind = "unknown key"
	ErrMoved   Kind = "key of an older version" // the message says where it stands now
	ErrMissing Kind = "key missing"
	ErrValue   Kind = "value not as expected"
)

// Error is one mistake in a config file.
type Error struct {
	File         string
	Line, Column int    // 0: not known
	Key          string // dotted, such as "ox.master_login"; array sections are numbered from 1: "context[2].id"
	Kind         Kind
	Message      string
}

// Error returns "file:line:column: key: message".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if e.Key != "" {
		fmt.Fprintf(&b, ": %s", e.Key)
	}
	return b.String() + ": " + e.Message
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Errors are all mistakes of a config file, in the order of its lines.
type Errors []*Error

// Error returns all mistakes, one a line.
func (es Errors) Error() string { return mistakes.Lines(es) }

// Unwrap returns the single errors.
func (es Errors) Unwrap() []error { return mistakes.Each(es) }
