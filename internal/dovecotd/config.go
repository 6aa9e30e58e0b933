package dovecotd

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// Config says what the instance looks like. The zero value gives a server
// with quota, a master user and the four usual special folders, and no users.
type Config struct {
	// Users exist from the start; more can be added with [Server.SetUsers].
	Users []User

	// APIKey is the doveadm_api_key, "test-key" when empty.
	APIKey string
	// DoveadmPassword is the doveadm_password (HTTP Basic, and dsync over
	// tcp:), "test-doveadm" when empty.
	DoveadmPassword string
	// AllowedCommands is the doveadm_allowed_commands whitelist, in words
	// ("mailbox list"). Empty means all.
	AllowedCommands []string

	// CertFile and KeyFile (PEM) switch TLS on for the doveadm HTTP API, which
	// then is not offered in the clear.
	CertFile, KeyFile string

	// Separator is the hierarchy separator of the personal namespace, "/"
	// when empty, and Prefix its prefix, such as "INBOX/".
	Separator, Prefix string
	// Mailboxes are the "mailbox" blocks of the personal namespace. Nil means
	// [StandardMailboxes]; an empty slice means none.
	Mailboxes []Mailbox
	// MailLocation is the mail_location, "maildir:~/Maildir" when empty.
	MailLocation string
	// Fsync is mail_fsync, "never" when empty.
	Fsync string

	// QuotaRule is the quota_rule of users who have none of their own,
	// "*:storage=1G" when empty.
	QuotaRule string
	// NoQuota leaves the quota plugin out.
	NoQuota bool
	// QuotaDict lets the userdb read limits from a dict, too, that doveadm can
	// write: [Server.QuotaDict].
	QuotaDict bool
	// ACL loads the acl plugin (vfile backend).
	ACL bool

	// AuthCache switches the authentication cache on, as most sites have it:
	// changed and unknown users are then remembered for an hour, until
	// authCacheFlush.
	AuthCache bool

	// Listen is the loopback address of all listeners, "127.0.0.1" when empty,
	// and DoveadmPort the port of the doveadm TCP protocol, a free one when 0.
	Listen      string
	DoveadmPort int

	// Series24 runs Dovecot 2.4 from a root that .ci/dovecot24.sh has made. MailLocation
	// and NoQuota are not for it, and QuotaDict needs [QuotaDict24].
	Series24 bool

	// Extra is appended to dovecot.conf as it is.
	Extra string
}

// Mailbox is one configured mailbox of the personal namespace.
type Mailbox struct {
	Name       string // "Sent"
	SpecialUse string // "\\Sent", or empty
	Auto       string // "no", "create" or "subscribe"; empty means "no"
}

// StandardMailboxes returns the configuration most sites have: Drafts, Sent,
// Trash and Junk with their special use, listed and subscribed by themselves.
func StandardMailboxes() []Mailbox {
	return []Mailbox{
		{"Drafts", `\Drafts`, "subscribe"},
		{"Sent", `\Sent`, "subscribe"},
		{"Trash", `\Trash`, "subscribe"},
		{"Junk", `\Junk`, "subscribe"},
	}
}

// User is one line of the passwd-file.
type User struct {
	Name     string
	Password string
	// Home is the home directory; empty means [Server.Home] of the name.
	Home string
	// QuotaRule is the user's own quota_rule ("*:storage=50M"); empty means
	// the server's.
	QuotaRule string
	// Fields are further passdb or userdb fields in passwd-file syntax:
	// "proxy=y", "userdb_mail=mdbox:~/mdbox".
	Fields []string
}

// With returns the configuration with more users, all with one password.
func (c Config) With(password string, users ...string) *Config {
	c.Users = slices.Clone(c.Users)
	for _, u := range users {
		c.Users = append(c.Users, User{Name: u, Password: password})
	}
	return &c
}

func (u User) line(series24 bool) string {
	var extra []string
	if size, ok := strings.CutPrefix(u.QuotaRule, "*:bytes="); ok && series24 {
		extra = append(extra, "userdb_quota_storage_size="+size+"B")
	} else if u.QuotaRule != "" {
		extra = append(extra, "userdb_quota_rule="+u.QuotaRule)
	}
	extra = append(extra, u.Fields...)
	// user:password:uid:gid:(gecos):home:(shell):extra
	return fmt.Sprintf("%s:{PLAIN}%s::::%s::%s\n", u.Name, u.Password, u.Home, strings.Join(extra, " "))
}

// dictConfig is the userdb that reads the limits.
const dictConfig = `uri = proxy::quota
iterate_disable = yes
key limit {
  key = %u/quota/limit/storage
}
userdb_fields {
  quota_rule = *:storage=%{dict:limit}
}
`

// account is the system user that owns the mail: an instance started by root
// must not write mail as root, and one started by anybody else cannot change
// to another user.
func account() (name, group string, uid, gid int, err error) {
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return "", "", 0, 0, err
		}
		g, err := user.LookupGroupId(u.Gid)
		if err != nil {
			return "", "", 0, 0, err
		}
		return u.Username, g.Name, os.Getuid(), os.Getgid(), nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return "", "", 0, 0, err
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return "", "", 0, 0, err
	}
	if _, err := fmt.Sscan(u.Uid+" "+u.Gid, &uid, &gid); err != nil {
		return "", "", 0, 0, err
	}
	return u.Username, g.Name, uid, gid, nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// ports are the TCP ports of one attempt to start.
type ports struct{ imap, http, doveadm int }

// render writes dovecot.conf.
func (s *Server) render(p ports) string {
	c := s.cfg
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	w("base_dir = %s", filepath.Join(s.Dir, "run"))
	w("state_dir = %s", filepath.Join(s.Dir, "state"))
	w("log_path = %s", s.logFile())
	w("listen = %s", s.listen())
	w("protocols = imap")
	ssl := ""
	if c.CertFile != "" {
		ssl = "\n    ssl = yes"
		w("ssl = yes\nssl_cert = <%s\nssl_key = <%s", c.CertFile, c.KeyFile)
	} else {
		w("ssl = no")
	}
	w("disable_plaintext_auth = no")
	w("auth_mechanisms = plain login")
	w("auth_failure_delay = 0")
	if c.AuthCache {
		w("auth_cache_size = 1M")
	}
	w("auth_master_user_separator = *")
	w("first_valid_uid = 1")
	w("mail_uid = %s", s.user)
	w("mail_gid = %s", s.group)
	w("mail_location = %s", orDefault(c.MailLocation, "maildir:~/Maildir"))
	w("mail_fsync = %s", orDefault(c.Fsync, "never"))
	w("mail_max_userip_connections = 200")
	if os.Getuid() != 0 {
		w("default_login_user = %s", s.user)
		w("default_internal_user = %s", s.user)
		w("default_internal_group = %s", s.group)
		w("service anvil {\n  chroot =\n}")
	}
	// No growing delay after failed logins.
	w("service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}")

	var plugins, imapPlugins string
	if !c.NoQuota {
		plugins, imapPlugins = plugins+" quota", imapPlugins+" imap_quota"
	}
	if c.ACL {
		plugins, imapPlugins = plugins+" acl", imapPlugins+" imap_acl"
	}
	w("mail_plugins =%s", plugins)
	w("protocol imap {\n  mail_plugins = $mail_plugins%s\n}", imapPlugins)
	w("plugin {")
	if !c.NoQuota {
		w("  quota = count:User quota")
		w("  quota_vsizes = yes")
		w("  quota_rule = %s", orDefault(c.QuotaRule, "*:storage=1G"))
	}
	if c.ACL {
		w("  acl = vfile")
		w("  acl_user = %%u") // otherwise the master user sees empty accounts
	}
	w("}")

	c.namespace(w)

	w("passdb {\n  driver = passwd-file\n  args = %s\n  master = yes\n  result_success = continue\n}",
		filepath.Join(s.Dir, "masters"))
	w("passdb {\n  driver = passwd-file\n  args = %s\n}", s.usersFile())
	then := ""
	if c.QuotaDict {
		then = "\n  result_success = continue-ok\n  result_failure = return-fail"
	}
	w("userdb {\n  driver = passwd-file\n  args = username_format=%%u %s\n  default_fields = home=%s/%%u%s\n}",
		s.usersFile(), filepath.Join(s.Dir, "mail"), then)
	if c.QuotaDict {
		w("userdb {\n  driver = dict\n  args = %s\n}", s.dictFile())
		w("dict {\n  quota = fs:posix:prefix=%s/\n}", filepath.Join(s.Dir, "quota"))
		w("service dict {\n  unix_listener dict {\n    mode = 0666\n  }\n}")
	}

	w("service imap-login {\n  chroot =\n  inet_listener imap {\n    port = %d\n  }\n  inet_listener imaps {\n"+
		"    port = 0\n  }\n}", p.imap)
	w("service doveadm {\n  inet_listener http {\n    port = %d%s\n  }\n  inet_listener dsync {\n    port = %d\n  }\n}",
		p.http, ssl, p.doveadm)
	w("doveadm_api_key = %s", s.APIKey)
	w("doveadm_password = %s", s.DoveadmPassword)
	if len(c.AllowedCommands) > 0 {
		w("doveadm_allowed_commands = %s", strings.Join(c.AllowedCommands, ","))
	}
	if c.Extra != "" {
		w("%s", c.Extra)
	}
	return b.String()
}

// namespace writes the personal namespace, which both series write alike.
func (c *Config) namespace(w func(format string, args ...any)) {
	w("namespace inbox {\n  inbox = yes\n  separator = %s\n  prefix = %s", orDefault(c.Separator, "/"), c.Prefix)
	boxes := c.Mailboxes
	if boxes == nil {
		boxes = StandardMailboxes()
	}
	for _, m := range boxes {
		w("  mailbox %q {\n    auto = %s", m.Name, orDefault(m.Auto, "no"))
		if m.SpecialUse != "" {
			w("    special_use = %s", m.SpecialUse)
		}
		w("  }")
	}
	w("}")
}
