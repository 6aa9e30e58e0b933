package district

import (
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// programs writes the sections that one program reads.
func (p *printer) programs(c *Config) {
	a := &c.Addressbooks
	p.section("[addressbooks]",
		"examples/addressbooks: books per school and class for everybody, in the contexts with a service_login.")
	p.key("rules", a.Rules, "", "a file with rules (examples/addressbooks/rules.toml is one); empty: the default rules")
	p.key("user_agent", a.UserAgent, "", "Open-Xchange's limit of requests counts by it; empty: schoolmail")
	p.key("requests_per_5_minutes", a.RequestsPer5Minutes, 0,
		"0: Open-Xchange's default of 1500; -1: exempted from the limit")
	p.secret("salt", a.Salt, a.SaltFile) // readers of a book see the keys of its entries, which must not tell record ids
	v := &a.Provider
	p.section("[addressbooks.provider]", "For addressbooks -provider-config: Open-Xchange's LDAP contacts provider.")
	p.key("host", v.Host, "", "LDAP server as Open-Xchange sees it")
	p.key("port", v.Port, 0, "0: 7636")
	p.key("base_dn", v.BaseDN, "", "")
	p.key("bind_dn", v.BindDN, "", "")
	p.secret("bind_password", v.BindPassword, v.BindPasswordFile)
	p.key("filter", v.Filter, "", "such as (mailPrimaryAddress=*); empty: the default")

	g := &c.Galprobe
	p.section("[galprobe]", "examples/galprobe: proves that the global address book is closed, in the contexts with a "+
		"probe.")
	p.key("control_url", g.ControlURL, "", "the HTTP API past the proxy whose rules are probed; empty: http_url of [ox]")
	p.key("dav_root", g.DAVRoot, "", "where /carddav/ lies; empty: the server's root")
	p.key("server_version", g.ServerVersion, "", "for the evidence, if the server does not tell")
	p.key("book", g.Book, "", "title of an address book that is to be readable; empty: none")
	p.key("exempt", g.Exempt, []string(nil), "logins that may see the global address book, besides service_login")

	w := &c.Watch
	p.section("[watch]", "examples/watch: people who change in the directory are completed at once, and their books.")
	p.key("notifier", w.Notifier, "",
		"Univention's directory notifier, such as primary.schulen.example:6669; empty: the directory is polled")
	p.key("interval_seconds", w.IntervalSeconds, 0, "between two polls; 0: 30")
	p.key("settle_seconds", w.SettleSeconds, 0,
		"of quiet before changes are acted upon, since one change rarely comes alone; 0: 2")
	p.key("adopt", w.Adopt, []schoolmail.Role(nil),
		"roles of people who are entered in the directory by hand, without a record id, "+
			"and get everything like others; empty: they are told only")
	p.key("adopt_limit", w.AdoptLimit, 0, "of these at once; more are told and left alone; 0: 20")
	p.key("no_books", w.NoBooks, false, "leave the address books to addressbooks")

	p.migrate(&c.Migrate)
	p.excludes(c.Excludes)
}

func (p *printer) excludes(list []Exclude) {
	if len(list) == 0 {
		p.line("")
		p.line("# [[exclude]]       # a person who is in no address book; as unlisted=yes in the directory's state text")
		p.line("# id     = \"100147\" # record id; or username = \"a.muster\"")
		p.line("# by     = \"A. Muster\"")
		p.line("# reason = \"address kept back by the authority\"")
	}
	for i, x := range list {
		comments := []string(nil)
		if i == 0 {
			comments = []string{"Each keeps a person out of all address books, by record id or by user name."}
		}
		p.section("[[exclude]]", comments...)
		p.key("id", x.ID, "", "")
		p.key("username", x.Username, "", "")
		p.need("by", x.By, "")
		p.need("reason", x.Reason, "")
	}
}

func (p *printer) probes(probes []Probe) {
	if len(probes) == 0 {
		p.line(`# probe = []   # ordinary accounts that galprobe logs in as: { role = "pupil", login = "probe", ` +
			`password_file = "probe.secret" }`)
		return
	}
	p.line("# Ordinary accounts that galprobe logs in as.")
	for i, x := range probes {
		start := "        "
		if i == 0 {
			start = "probe = ["
		}
		secret := "password = " + quote(x.Password.Reveal())
		if x.PasswordFile != "" {
			secret = "password_file = " + quote(x.PasswordFile)
		}
		end := ","
		if i == len(probes)-1 {
			end = "]"
		}
		p.line(start + "{ role = " + quote(x.Role) + ", login = " + quote(x.Login) + ", " + secret + " }" + end)
	}
}

func (p *printer) migrate(m *MigrateSection) {
	p.section("[migrate]", "examples/migrate: mailboxes from one IMAP server to another, wave by wave.")
	p.key("from", m.From, "", "the old server with its administrator: imaps://migration@old.example (imap:// demands "+
		"STARTTLS)")
	p.secret("from_password", m.FromPassword, m.FromPasswordFile)
	p.key("from_connections", m.FromConnections, 0, "at the same time; 0: 8")
	p.key("from_bytes_per_second", m.FromBytesPerSecond, int64(0), "spares the old server; 0: no limit")
	p.key("to", m.To, "", "the new server with its master user")
	p.secret("to_password", m.ToPassword, m.ToPasswordFile)
	p.key("to_connections", m.ToConnections, 0, "at the same time; 0: 8")
	for _, side := range []struct{ name, ca, file, command string }{
		{"from", m.FromCAFile, m.FromTokenFile, m.FromTokenCommand}, {"to", m.ToCAFile, m.ToTokenFile, m.ToTokenCommand}} {
		p.key(side.name+"_ca_file", side.ca, "", "PEM; trusted instead of the system's authorities")
		p.key(side.name+"_token_file", side.file, "", "an OAuth token instead of the password, read at each login")
		p.key(side.name+"_token_command", side.command, "", "a program that prints the token; MIGRATE_USER is whose")
	}
	p.key("preset", m.Preset, "", "what is known of the old server: gmail, exchange")
	p.key("attempts", m.Attempts, 0, "at an account whose connections break without any progress; 0: 5")
	p.key("timeout", m.Timeout, "", "of silence, until a connection is given up; empty: 5m")
	p.key("insecure", m.Insecure, false, "imap:// in clear text; only for servers on this machine")
	p.key("wave", m.Wave, "migration", "name of the wave in reports")
	p.key("users", m.Users, "", "a file with the wave's accounts: a name on each line, or CSV with a heading")
	p.key("state_dir", m.StateDir, "",
		"empty: migrate-state where the program is started; one file for each account; a file PAUSE in it pauses the wave")
	p.key("parallel", m.Parallel, 4, "accounts at a time")
	p.key("cut_over", m.CutOver, false, "the last run: later ones only bring late mail")
	p.key("keep_deleted", m.KeepDeleted, false, "do not follow deletions at the source until the cut-over")
	p.key("max_deleted", m.MaxDeleted, 0.0, "hold deletions back when more than this share would go at once; 0: the half")
	p.key("max_size", m.MaxSize, int64(0), "larger messages stay behind, in bytes; 0: none")
	p.key("since", m.Since, "", "messages of before that day stay behind, such as 2020-12-31")
	p.key("copy_quota", m.CopyQuota, false, "set the old server's storage limit at the new one, where that allows it")
	if len(m.Windows) == 0 {
		p.line("")
		p.line("# [[migrate.window]]   # when the wave may run; without windows always")
		p.line("# begin = 2027-08-07T18:00:00+02:00")
		p.line("# end   = 2027-08-08T20:00:00+02:00")
	}
	for _, w := range m.Windows {
		p.section("[[migrate.window]]")
		p.need("begin", w.Begin, "")
		p.need("end", w.End, "")
	}
	f := &m.Folders
	p.section("[migrate.folders]", "What becomes of folders.")
	p.key("skip", f.Skip, []string(nil), "stay behind, with everything below them; * is any characters, ? one")
	p.key("only", f.Only, []string(nil), "the only ones that are taken, with everything below them; * and ? as in skip")
	p.key("virtual", f.Virtual, false, "take views of other folders, too (\\All, \\Flagged, \\Important)")
	p.key("forbidden", f.Forbidden, "", "characters that the new server refuses in names, besides its separator")
	p.key("no_name_table", f.NoNameTable, false, "do not recognise Gesendet, Envoyés, Bozze ... by their names")
	p.table("migrate.folders.roles", f.Roles, `Sent = "Gesendete Objekte"`,
		"the one folder of each kind; otherwise what the new server marks")
	p.table("migrate.folders.map", f.Map, `"Ablage alt" = "Archiv/Ablage"`, "goes before everything else")
	p.table("migrate.flags", m.Flags, `"$Label1" = "$Wichtig"`,
		"other names of flags at the new server; an empty one leaves the flag out")
	s := &m.Spool
	p.section("[migrate.spool]", "For the first copy from the files of Cyrus, with UIDs kept: migrate -convert.")
	p.key("partitions", s.Partitions, []string(nil), "partition-NAME of imapd.conf, such as /var/spool/cyrus/mail")
	p.key("meta", s.Meta, []string(nil), "metapartition-NAME, in the same order, if there are any")
	p.key("archive", s.Archive, []string(nil), "archivepartition-NAME, in the same order, if there are any")
	p.key("config", s.Config, "", "configdirectory, such as /var/lib/cyrus")
	p.key("old_names", s.OldNames, false, "unixhierarchysep is off, the default before Cyrus 3.0")
	p.key("maildir", s.Maildir, "",
		"where the Maildirs go: /srv/mail/%u/Maildir; %u user, %n user without domain, %d domain")
	p.key("layout", s.Layout, "", "fs for folders as directories; empty: Maildir++")
	p.key("separator", s.Separator, "", "of the new server; empty: its default")
	p.key("prefix", s.Prefix, "", "of the new server's namespace")
	p.key("owner", s.Owner, "", "USER:GROUP of the Maildirs; empty: of the directory they are in")
	p.key("no_sync", s.NoSync, false, "faster; a loss of power costs what was written last")
}

// table writes a section with keys of the site's choice.
func (p *printer) table(head string, m map[string]string, example, comment string) {
	if len(m) == 0 {
		p.line("# [" + head + "]   # " + comment)
		p.line("# " + example)
		return
	}
	p.section("["+head+"]", comment)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p.need(quoteKey(k), m[k], "")
	}
}
