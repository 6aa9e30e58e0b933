package district

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Write writes a complete, commented district file: what c sets, and everything
// else with its default as a comment. Loading it gives c back. A secret whose
// _file is set is not written; others are written as they are, so whoever calls
// Write keeps the file from other eyes, as [WriteFile] does.
func Write(w io.Writer, c *Config) error {
	p := &printer{}
	p.line("# The district file of all programs of schoolmail (TOML). Each reads the sections that it needs.")
	p.line("# A line that begins with \"# key =\" shows the default of a key that is not set.")
	p.line("# Relative paths are relative to this file. Every password and key can stand in a file")
	p.line("# of its own instead: password_file = \"ox.secret\".")
	p.line("# Try it without changing anything: go run ./examples/provision -config THIS-FILE")
	p.servers(c)
	p.policy(c)
	p.programs(c)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// WriteFile writes the config to a file that only its owner can read. An
// existing file is replaced as a whole.
func WriteFile(file string, c *Config) error {
	if err := atomicfile.Write(file, atomicfile.Private, func(w io.Writer) error { return Write(w, c) }); err != nil {
		return fmt.Errorf("district: %w", err)
	}
	return nil
}

func (p *printer) servers(c *Config) {
	p.section("[site]")
	p.key("name", c.Site.Name, "schoolmail", "in reports and notices")
	p.key("language", c.Site.Language, "de", "of people whose record names none: de, fr, it or en")
	p.key("report_language", c.Site.ReportLanguage, "de",
		"of the pages that runs leave, also for schools: de, fr or en; by default as language, or en")
	p.key("parallel", c.Site.Parallel, 16, "people worked on at the same time")
	p.key("list_files", c.Site.ListFiles, []string(nil),
		"files with further [[link]], [[distinct]], [[spelling]], [[override]] and [[exclude]]")
	p.key("sandbox", c.Site.Sandbox, false, "these are made-up people: plans of other days than today may be applied")

	e := &c.Export
	p.section("[export]", "The school administration's export: CSV files in a directory, one row per person, school and "+
		"class.")
	p.need("dir", e.Dir, "all files directly in it that match \"files\"")
	p.key("profile", e.Profile, "", "how the files are built: a file, or one of "+list(escada.Starters()))
	p.key("source", e.Source, "escada", "name of the source system; accounts of other sources are never touched")
	p.key("delimiter", e.Delimiter, ";", "between fields")
	p.key("encoding", e.Encoding, escada.EncodingAuto,
		"auto (UTF-16, UTF-8, else Windows-1252), or one of "+list(escada.Encodings()[1:]))
	p.key("quoting", e.Quoting, escada.QuotingRFC4180, "rfc4180 (quotes doubled), backslash or none")
	p.key("date_format", e.DateFormat, "dd.mm.yyyy", "of dd, mm, yyyy")
	p.key("files", e.Files, []string{"*.csv", "*.txt"}, "names of the files")
	p.key("delta_files", e.DeltaFiles, []string(nil),
		"names of files that list only changes: who is absent there has not left")
	p.key("required_files", e.RequiredFiles, []string(nil), "names of files without which the export is incomplete")
	p.key("trailer", e.Trailer, "", "first field of a last row that counts the rows; empty: there is none")
	p.key("open_end", e.OpenEnd, false, "the last line has no line end")
	p.key("class_optional", e.ClassOptional, false, "pupils may be without a class")
	p.key("strict", e.Strict, false, "mistakes in optional fields reject the row")
	p.key("optional", e.Optional, []escada.Column(nil), "columns that may be missing: "+list(escada.Columns()[5:]))
	p.key("max_age_days", e.MaxAgeDays, 14, "age of the newest file from which nobody counts as gone any more")
	p.key("settle_seconds", e.SettleSeconds, 0, "how long a file must have been left alone before it is read")
	p.key("accept_older", e.AcceptOlder, false, "take an export that is older than the last accepted one: for one run")
	p.key("accept_columns", e.AcceptColumns, false,
		"take other columns than those of the last accepted export: for one run")
	p.key("pairs_files", e.PairsFiles, []string(nil),
		"lists of new ids that people were given on purpose: by;NAME date;DAY reason;TEXT old;new, then the ids")
	p.secret("identity_key", e.IdentityKey, e.IdentityKeyFile)
	if len(e.Columns) == 0 {
		p.line("# [export.columns]   # titles of columns, where they are not the usual German or French ones")
		p.line("# id = [\"PersonId\"]")
	} else {
		p.section("[export.columns]", "titles of columns, where they are not the usual German or French ones")
		for _, k := range slices.Sorted(maps.Keys(e.Columns)) {
			p.need(string(k), e.Columns[k], "")
		}
	}
	if e.Roles == nil {
		p.line("# [export.roles]     # codes of the roles; these are the usual ones, shortened")
		p.line("# pupil   = [\"S\", \"Schüler\", \"Élève\"]")
		p.line("# teacher = [\"L\", \"Lehrperson\", \"Enseignant\"]")
		p.line("# staff   = [\"M\", \"Personal\", \"Collaborateur\"]")
	} else {
		p.section("[export.roles]", "codes of the roles")
		for _, k := range slices.Sorted(maps.Keys(e.Roles)) {
			p.need(quoteKey(string(k)), e.Roles[k], "")
		}
	}
	if e.Levels == nil {
		p.line("# [export.levels]    # codes of the levels; these are the usual ones, shortened")
		p.line("# primary   = [\"P\", \"Primar\", \"Primaire\"]")
		p.line("# secondary = [\"S\", \"Sek\", \"Secondaire\"]")
	} else {
		p.section("[export.levels]", "codes of the levels; the keys are the words that populations use")
		for _, k := range slices.Sorted(maps.Keys(e.Levels)) {
			p.need(quoteKey(k), e.Levels[k], "")
		}
	}

	p.section("[export.budget]", "how much of an export may be wrong; -1: no limit")
	p.key("rows_percent", e.Budget.Rows, 50, "rejected rows from which the export is refused")
	p.key("school_percent", e.Budget.School, 20, "rejected rows of a school from which the school is left as it is")
	p.key("codes_percent", e.Budget.Codes, 10, "rows with unknown roles or levels from which the export is refused")
	p.key("least_rows", e.Budget.Least, 10, "rows up to which no share counts")

	if len(c.Sources) == 0 {
		p.line("")
		p.line("# [[source]]        # a further system beside [export], such as one for teachers")
		p.line("# prefix  = \"hr-\"  # before the ids of its people")
		p.line("# dir     = \"export-hr\"")
		p.line("# profile = \"\"      # as in [export]")
		p.line("# schools = []      # that it may speak for; empty: all")
		p.line("# roles   = [\"teacher\"]")
	}
	for i, x := range c.Sources {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each is a further system beside [export]."}
		}
		p.section("[[source]]", comments...)
		p.need("prefix", x.Prefix, "before the ids of its people")
		p.need("dir", x.Dir, "")
		p.key("profile", x.Profile, "", "as in [export]")
		p.key("schools", x.Schools, []schoolmail.SchoolID(nil), "that it may speak for; empty: all")
		p.key("roles", x.Roles, []schoolmail.Role(nil), "that it may speak for; empty: all")
	}

	d := &c.Directory
	p.section("[directory]", "UCS@school's LDAP server, the primary.")
	p.need("url", d.URL, "ldap://host:7389 with StartTLS, or ldaps://host:7636")
	p.key("bind_dn", d.BindDN, "", "who may write accounts; empty: anonymous")
	p.secret("password", d.Password, d.PasswordFile)
	p.key("base_dn", d.BaseDN, "", "empty: ask the server")
	p.key("plaintext", d.Plaintext, false, "no StartTLS; only for servers on this machine")
	p.key("ca_file", d.CAFile, "", "certificates to trust (PEM); empty: the system's")
	p.key("pool_size", d.PoolSize, 0, "connections; 0: 8")
	p.key("page_size", d.PageSize, 0, "entries per page of a search; 0: 1000")
	p.key("create_schools", d.CreateSchools, false, "make schools that do not exist; otherwise that is an error")
	p.key("ox_access", d.OXAccess, "", "oxAccess of accounts whose access combination is not known; empty: left alone")
	p.key("mail_home_server", d.MailHomeServer, "",
		"written to univentionMailHomeServer of new accounts; empty: not written")
	p.key("state_attribute", d.StateAttribute, "", "keeps the life cycle; empty: univentionFreeAttribute20")
	p.key("s4_connector", d.S4Connector, false, "the domain has Samba/AD: write placeholder SIDs")
	p.key("beside_udm", d.BesideUDM, false,
		"guard against UDM and the importer, which make accounts here as well: six requests more for each newcomer")

	p.key("stamps", d.Stamps, "", "accounts that UCS@school's importer has marked for deletion: hold (or empty) or adopt")
	p.key("write", d.Write, "",
		"ldap (or empty); auto: UDM makes, moves and removes accounts; udm: everything by UDM, which is slow")
	p.key("udm_url", d.UDMURL, "", "UDM's REST API, which auto and udm need: https://host/univention/udm/")
	p.key("udm_user", d.UDMUser, "", "who may use it, by user name")
	p.secret("udm_password", d.UDMPassword, d.UDMPasswordFile)
	p.key("state_property", d.StateProperty, "", "UDM's extended attribute for state_attribute; empty: there is none")

	p.key("classes_in_ox", d.ClassesInOX, false, "new classes are groups of Open-Xchange as well")
	if len(d.OXProfiles) > 0 {
		p.table("directory.ox_profiles", d.OXProfiles, "", "access profiles (oxAccess) of access combinations")
	} else {
		p.line("# A section [directory.ox_profiles] names access profiles (oxAccess) of access combinations, where they")
		p.line(`# have other names than these, such as "webmail" = "webmail-pupils".`)
	}
	if w := d.Windows; w == (WindowsTemplates{}) {
		p.line("# A section [directory.windows] has what Windows computers need, home_path, home_drive, profile_path and")
		p.line("# logon_script, in which <username> and <school> are replaced.")
	} else {
		p.section("[directory.windows]", "What Windows computers need; <username> and <school> are replaced.")
		p.key("home_path", w.HomePath, "", "")
		p.key("home_drive", w.HomeDrive, "", "")
		p.key("profile_path", w.ProfilePath, "", "not of people who are staff only, as all of these")
		p.key("logon_script", w.LogonScript, "", "")
	}

	o := &c.OX
	p.section("[ox]", "Open-Xchange: the SOAP provisioning API.")
	p.need("soap_urls", o.SOAPURLs, "every server of the cluster; each URL ends in /webservices")
	p.key("http_url", o.HTTPURL, "",
		"the HTTP API, for addressbooks, galprobe and read_users; for example https://host/appsuite/api/")
	p.key("plaintext", o.Plaintext, false,
		"http is allowed to other machines than this one; only inside a network of one's own")
	p.need("master_login", o.MasterLogin, "the master administrator")
	p.secret("master_password", o.MasterPassword, o.MasterPasswordFile)
	p.key("copy_login", o.CopyLogin, "",
		"a login at http_url as any user, to compare a copy with its source before the directory is switched, such as "+
			"{username}*master@{context}; empty: not compared")
	p.secret("copy_password", o.CopyPassword, o.CopyPasswordFile)
	p.key("ca_file", o.CAFile, "", "certificates to trust (PEM); empty: the system's")
	p.key("admin_access", o.AdminAccess, "all", "access combination of the administrators of new contexts")
	p.key("max_quota_mb", o.MaxQuotaMB, int64(0), "file quota of new contexts; 0: unlimited")
	p.key("time_zone", o.TimeZone, "", "of new users, for example Europe/Zurich; empty: the server's default")
	p.key("read_users", o.ReadUsers, "soap",
		"how users are read: soap, http with a hundredth of the bytes (needs http_url, and administrators who see the "+
			"global address book), or auto: http where that works")
	p.key("max_in_flight", o.MaxInFlight, 0, "requests under way at one server; 0: 32")
	p.key("copy_wait_seconds", o.CopyWaitSeconds, 0,
		"how long a server may be at work on a user copy that nobody waits for any more; 0: 300")
	p.key("update_wait_seconds", o.UpdateWaitSeconds, 0,
		"how long a context is waited for whose database is being updated; then its people are left out; 0: 900")

	v := &c.Mail
	p.section("[mail]", "Dovecot: the doveadm HTTP API.")
	p.need("doveadm_url", v.URL, "of a proxy, a director or the only server")
	p.secret("api_key", v.APIKey, v.APIKeyFile)
	p.secret("password", v.Password, v.PasswordFile)
	p.key("plaintext", v.Plaintext, false,
		"http is allowed to other machines than this one; only inside a network of one's own")
	p.key("hosts", v.Hosts, []string(nil), "the URLs of the other hosts of a cluster")
	p.key("ca_file", v.CAFile, "", "certificates to trust (PEM); empty: the system's")
	p.key("mail_root", v.MailRoot, "", "below it lie all homes; empty: homes are never deleted")
	p.key("login", v.Login, "mail", "under which name Dovecot knows people: mail (as on UCS) or username")
	p.key("mailboxes", v.Mailboxes, []string(nil), "made for everybody besides INBOX")
	p.key("quota_mb", v.QuotaMB, int64(0),
		"the quota of a mailbox: checked, and set where quota_dict is given; 0: not looked at")
	p.key("quota_dict", v.QuotaDict, "",
		"the dict that Dovecot reads quota limits from, such as proxy::quota; empty: the directory sets them")
	p.key("concurrency", v.Concurrency, 0, "requests under way per host; 0: 8")

	s := &c.Notices
	p.section("[notices]", "The mail relay for notices to leavers.")
	p.need("addr", s.Addr, "host:port")
	p.need("from", s.From, "sender of the notices")
	p.key("hello", s.Hello, "", "our name in EHLO; empty: localhost")
	p.key("username", s.Username, "", "empty: no authentication")
	p.secret("password", s.Password, s.PasswordFile)
	p.key("plaintext", s.Plaintext, false, "do not insist on STARTTLS; only for relays in the same network")
	p.key("ca_file", s.CAFile, "", "certificates to trust (PEM); empty: the system's")
	p.key("texts_dir", s.TextsDir, "",
		"own texts, such as leaving-pupil-de.txt; empty: the shipped ones (de, fr, it, en)")
	remind := "days before the mailbox closes on which a leaver is told once more; []: never"
	if s.RemindDays != nil && len(s.RemindDays) == 0 {
		p.need("remind_days", s.RemindDays, remind)
	} else {
		p.key("remind_days", s.RemindDays, DefaultRemindDays(), remind)
	}
	if len(s.AlsoTell) == 0 {
		p.line("")
		p.line("# [[notices.also_tell]]   # who is told with which pupils: parents (the private address of the export is " +
			"theirs),")
		p.line("#                         # guardians (of the directory), class-teacher (who teaches the class)")
		p.line("# whom         = [\"parents\", \"class-teacher\"]")
		p.line("# populations  = [\"primary\"]   # or levels, or schools; of all that are given")
	}
	for _, r := range s.AlsoTell {
		p.section("[[notices.also_tell]]")
		p.need("whom", r.Whom, "of parents, guardians and class-teacher")
		p.key("populations", r.Populations, []string(nil), "empty: all pupils")
		p.key("levels", r.Levels, []schoolmail.SchoolLevel(nil), "")
		p.key("schools", r.Schools, []schoolmail.SchoolID(nil), "")
	}
	p.atEnd(s.AtEnd)

	p.section("[state]")
	p.need("dir", c.State.Dir, "journal, plans, reports and initial passwords; keep it, and keep it private")
	p.key("retention_days", c.State.RetentionDays, DefaultRetentionDays,
		"after which the folders of runs are deleted; what is purged leaves them at once")
	p.key("status_file", c.State.StatusFile, "", "JSON for a monitor about the last run; empty: status.json in the folder")
	p.key("metrics_file", c.State.MetricsFile, "",
		"the same for Prometheus' textfile collector, say /var/lib/node_exporter/schoolmail.prom")

	t := c.TimeLimits
	p.section("[time_limits]", "When servers that do not answer are given up, and a run as a whole. 0 is the default.")
	p.key("run_hours", t.RunHours, 0, "0: 20; the run ends with its report and the next goes on")
	p.key("directory_seconds", t.Directory, 0, "0: 60, for one request")
	p.key("ox_seconds", t.OX, 0, "0: 120, for one request")
	p.key("ox_long_minutes", t.OXLongMinutes, 0, "0: 30, for copying a user and making a context")
	p.key("mail_seconds", t.Mail, 0, "0: 300, for one command of doveadm")
	p.key("relay_seconds", t.Relay, 0, "0: 60, for one message")

	p.section("[passwords]", "How the schools get the initial passwords of new accounts: as lists in the state folder.")
	p.key("key", c.Passwords.Key, "", "public key of age (age1...) to which they are encrypted; empty: lists in the clear")
	p.key("letters", c.Passwords.Letters, false, "also a page for each person, as HTML to be printed")
	p.key("change_at_first_login", c.Passwords.Change, false,
		"Windows and the portal ask for a new password; mail programs take the old one until then")
	if len(c.Passwords.Keys) == 0 {
		p.line("# [passwords.keys]   # for schools that have a key of their own")
		p.line("# ps-birkenhof   = \"age1...\"")
		return
	}
	p.section("[passwords.keys]")
	for _, id := range slices.Sorted(maps.Keys(c.Passwords.Keys)) {
		p.need(quoteKey(string(id)), c.Passwords.Keys[id], "")
	}
}

func (p *printer) policy(c *Config) {
	for i, x := range c.Contexts {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"The contexts. One that does not exist is created, with this administrator."}
		}
		p.section("[[context]]", comments...)
		p.need("id", int(x.ID), "")
		p.need("name", x.Name, "")
		p.key("capacity", x.Capacity, schoolmail.DefaultCapacity, "most users in it, the administrator included")
		p.key("headroom", x.Headroom, 0, "seats that newcomers leave free as long as another context has room")
		p.key("mail_home_server", x.MailHomeServer, "",
			"IMAP server in the directory's entry of who lives here; empty: that of [directory]")
		p.key("mail_quota_mb", x.MailQuotaMB, 0, "mail quota in the directory's entry; 0: not written")
		p.key("ox_quota_mb", x.OXQuotaMB, 0, "file quota in the directory's entry; -1: no limit; 0: not written")
		p.need("admin_login", x.AdminLogin, "")
		p.secret("admin_password", x.AdminPassword, x.AdminPasswordFile)
		p.key("service_login", x.ServiceLogin, "",
			"an account that writes the address books and does nothing else; empty: none are written here")
		p.secret("service_password", x.ServicePassword, x.ServicePasswordFile)
		p.probes(x.Probe)
	}
	for i, q := range c.Populations {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Who lives where. The first population that matches a person decides."}
		}
		p.section("[[population]]", comments...)
		p.need("name", q.Name, "")
		p.need("roles", q.Roles, "pupil, teacher, staff")
		p.key("levels", q.Levels, []schoolmail.SchoolLevel(nil), "empty: all")
		p.key("schools", q.Schools, []schoolmail.SchoolID(nil), "empty: all")
		p.need("contexts", q.Contexts, "ids of the contexts that they may live in")
		p.need("domain", q.Domain, "of new mail addresses")
		p.need("access", q.Access, "OX access combination")
	}

	def := schoolmail.Policy{}.WithDefaults()
	p.section("[naming]", "User names are given.family; on UCS@school 20 characters fit, for pupils 15 (\"exam-\" is "+
		"put before).")
	p.key("max_username", c.Naming.MaxUsername, def.Naming.MaxUsername, "")
	p.key("max_pupil_username", c.Naming.MaxPupilUsername, def.Naming.MaxPupilUsername, "")
	p.key("username", c.Naming.Username, "",
		"a scheme, such as {given:6}.{family:8}{n}; of {given} {family} {id} {role} {school}, and {n} or {n:3}, the number")
	p.key("address", c.Naming.Address, "", "the same for what stands before the @")
	p.key("spell", c.Naming.Spell, []string(nil),
		"alphabets whose letters a library's table spells, such as Armenian or Georgian; others are asked for")
	p.key("reserved", c.Naming.Reserved, []string(nil), "names that nobody gets, besides admin, postmaster, con, ...")
	p.key("follow_family_name", c.Naming.FollowFamilyName, schoolmail.FollowNo,
		"what a marriage means for user name and address: no, ask (propose a rename), yes (plan it)")
	p.key("change_usernames", c.Naming.ChangeUsernames, false,
		"give people another user name when they are renamed; OX needs USERNAME_CHANGEABLE=true")
	p.key("old_address_days", c.Naming.OldAddressDays, schoolmail.DefaultOldAddressDays,
		"how long the old address of somebody renamed stays an alias")

	p.section("[classes]", "Whose classes are ours: always; sent, where their school sends any; never.",
		"What is not ours is entered by hand and stays.")
	p.key("pupil", c.Classes.Pupil, schoolmail.ClassRule(""), "default always")
	p.key("teacher", c.Classes.Teacher, schoolmail.ClassRule(""), "default sent")
	p.key("staff", c.Classes.Staff, schoolmail.ClassRule(""), "default sent")

	p.section("[life_cycle]", "In days.")
	p.key("notice_days", c.LifeCycle.NoticeDays, def.LifeCycle.NoticeDays,
		"from the notice to the deactivation; at least 56")
	p.key("purge_days", c.LifeCycle.PurgeDays, def.LifeCycle.PurgeDays, "from the deactivation to the removal")
	p.key("transfer_grace_days", c.LifeCycle.TransferGraceDays, def.LifeCycle.TransferGraceDays,
		"the old copy of a transferred user is kept so long; -1: deleted at once")

	p.section("[guards]", "How much may change in a few days, what earlier runs did included. What exceeds a limit is "+
		"held back and reported.")
	p.key("window_days", c.Guards.WindowDays, def.Guards.WindowDays, "")
	p.key("four_eyes", c.Guards.FourEyes, false, "a plan is applied only when another user of the system has approved it")
	p.key("collapse_percent", c.Guards.CollapsePercent, def.Guards.CollapsePercent,
		"a school that delivers less of its people counts as not delivered")
	limits := func(head, comment string, have, def Limits) {
		p.section(head, comment)
		for _, l := range []struct {
			name      string
			have, def *Limit
		}{
			{"leavers", have.Leavers, def.Leavers}, {"deactivations", have.Deactivations, def.Deactivations},
			{"purges", have.Purges, def.Purges}, {"transfers", have.Transfers, def.Transfers},
			{"roles", have.Roles, def.Roles}, {"pupil_roles", have.PupilRoles, def.PupilRoles},
			{"classes", have.Classes, def.Classes}, {"details", have.Details, def.Details},
		} {
			if l.have == nil {
				l.have = l.def
			}
			if *l.have == *l.def {
				p.write("# ", l.name, *l.def, "")
			} else {
				p.need(l.name, *l.have, "")
			}
		}
	}
	limits("[guards.usual]", "Per school and role in percent, in the whole district in percent; \"free\" ones per "+
		"school and role are always allowed.",
		c.Guards.Usual, fromLimits(def.Guards.Usual))
	limits("[guards.term_change]", "The limits within a [[term_change]].", c.Guards.TermChange,
		fromLimits(def.Guards.TermChange))

	if len(c.TermChanges) == 0 {
		p.line("")
		p.line("# [[term_change]]   # days, both included, in which the wider limits hold")
		p.line("# name  = \"Schulbeginn 2027\"")
		p.line("# from  = \"2027-08-02\"")
		p.line("# until = \"2027-08-27\"")
	}
	for i, t := range c.TermChanges {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Days, both included, in which the wider limits hold."}
		}
		p.section("[[term_change]]", comments...)
		p.key("name", t.Name, "", "")
		p.need("from", t.From, "")
		p.need("until", t.Until, "")
	}
	if len(c.Overrides) == 0 {
		p.line("")
		p.line("# [[override]]      # lifts one guard, in somebody's name")
		p.line("# guard  = \"leavers\"   # leavers, deactivations, purges, transfers, collapse, roles, renames, ...: see " +
			"the documentation of Guards")
		p.line("# school = \"sek-lindenhof\"   # leave it out for the whole district")
		p.line("# until  = \"2027-08-27\"")
		p.line("# by     = \"A. Muster\"")
		p.line("# reason = \"the school closes\"")
	}
	for i, o := range c.Overrides {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each lifts one guard, in somebody's name."}
		}
		p.section("[[override]]", comments...)
		p.need("guard", o.Guard, "leavers, deactivations, purges, transfers, collapse, roles, renames, ...: see the "+
			"documentation of Guards")
		p.key("school", o.School, schoolmail.SchoolID(""), "empty: the whole district")
		p.need("until", o.Until, "last day")
		p.need("by", o.By, "")
		p.need("reason", o.Reason, "")
	}
	p.pairs(c)
}

// pairs writes what was decided about records of which it is not certain whose they are.
func (p *printer) pairs(c *Config) {
	if len(c.Schools) == 0 {
		p.line("")
		p.line("# [[school]]        # where schools are named, people of others wait; formerly and closed announce moves " +
			"and leavers")
		p.line("# id       = \"ps-birkenhof\"")
		p.line("# name     = \"Primarschule Birkenhof\"   # on the page that runs leave for the school")
		p.line("# language = \"de\"                       # of that page: de, fr or en; default: report_language")
		p.line("# formerly = [\"ps-birken\", \"ps-hof\"]")
		p.line("# closed   = \"2027-07-31\"")
	}
	for i, x := range c.Schools {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"All schools: people of others wait. formerly: whose people it takes over; closed: nobody is " +
				"expected from that day on."}
		}
		p.section("[[school]]", comments...)
		p.need("id", x.ID, "")
		p.key("name", x.Name, "", "on the page that runs leave for the school")
		p.key("language", x.Language, "", "of that page: de, fr or en; empty: report_language")
		p.key("formerly", x.Formerly, []schoolmail.SchoolID(nil), "")
		p.key("closed", x.Closed, schoolmail.Date(0), "")
	}
	if len(c.Links) == 0 {
		p.line("")
		p.line("# [[link]]          # joins a record with a new id to the account of the old one")
		p.line("# old    = \"100147\"")
		p.line("# new    = \"999001\"    # the same as old: the person is the same in spite of new names; needs until")
		p.line("# by     = \"A. Muster\"")
		p.line("# reason = \"new id after a change of school\"")
	}
	for i, l := range c.Links {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each joins a record with a new id to the account of the old one."}
		}
		p.section("[[link]]", comments...)
		p.need("old", l.Old, "")
		p.need("new", l.New, "")
		p.key("until", l.Until, schoolmail.Date(0), "last day")
		p.need("by", l.By, "")
		p.need("reason", l.Reason, "")
	}
	for i, s := range c.Spellings {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each gives the letters of which a user name is made where the name has others."}
		}
		p.section("[[spelling]]", comments...)
		p.need("id", s.ID, "")
		p.need("given_name", s.GivenName, "")
		p.need("family_name", s.FamilyName, "")
	}
	if len(c.Distinct) == 0 {
		p.line("")
		p.line("# [[distinct]]      # two records that look like one person are two")
		p.line("# a      = \"100147\"")
		p.line("# b      = \"100200\"")
		p.line("# by     = \"A. Muster\"")
		p.line("# reason = \"cousins of one name\"")
	}
	for i, d := range c.Distinct {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each says that two records that look like one person are two."}
		}
		p.section("[[distinct]]", comments...)
		p.need("a", d.A, "")
		p.need("b", d.B, "")
		p.need("by", d.By, "")
		p.need("reason", d.Reason, "")
	}

}

// atEnd writes what becomes of mail to closed mailboxes.
func (p *printer) atEnd(rules []AtEnd) {
	if len(rules) == 0 {
		p.line("")
		p.line("# [[notices.at_end]]   # what becomes of mail to a closed mailbox; the first that is about somebody holds")
		p.line("# what         = \"answer\"   # automatically; or forward, to the private address; or nothing")
		p.line("# days         = 90")
		p.line("# populations  = [\"teachers\"]   # or schools; empty: all")
	}
	for _, r := range rules {
		p.section("[[notices.at_end]]")
		p.need("what", r.What, "answer (automatically), forward (to the private address) or nothing")
		p.key("days", r.Days, DefaultAtEndDays, "how long, from the day on which the mailbox closes")
		p.key("populations", r.Populations, []string(nil), "empty: all")
		p.key("schools", r.Schools, []schoolmail.SchoolID(nil), "")
	}
}
