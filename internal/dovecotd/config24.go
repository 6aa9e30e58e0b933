package dovecotd

import (
	"fmt"
	"path/filepath"
	"strings"
)

// render24 writes dovecot.conf for Dovecot 2.4, whose settings have other names.
func (s *Server) render24(p ports) string {
	c := s.cfg
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	dir := s.inside(s.Dir)

	w("dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1")
	w("base_dir = %s\nstate_dir = %[1]s\nlog_path = %s", filepath.Join(dir, "run"), s.inside(s.logFile()))
	w("listen = %s\nprotocols = imap\nssl = no", s.listen())
	w("auth_allow_cleartext = yes\nauth_mechanisms = plain login\nauth_failure_delay = 0\nauth_master_user_separator = *")
	if c.AuthCache {
		w("auth_cache_size = 1M")
	}
	w("first_valid_uid = 1\nmail_uid = %s\nmail_gid = %s", s.user, s.group)
	w("mail_driver = maildir\nmail_path = ~/Maildir\nmail_fsync = %s\nmail_max_userip_connections = 200",
		orDefault(c.Fsync, "never"))
	w("service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}")
	w("fs posix {\n}") // for the doveadm commands about files
	acl, imapACL := "", ""
	if c.ACL {
		acl, imapACL = " acl", " imap_acl"
		w("acl_driver = vfile\nacl_user = %%{user}")
	}
	w("mail_plugins = quota%s\nprotocol imap {\n  mail_plugins = quota%[1]s imap_quota%s\n}", acl, imapACL)
	w("quota \"User quota\" {\n  driver = count\n}\nquota_storage_size = 1G")
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
	w("passdb masters {\n  driver = passwd-file\n  passwd_file_path = %s\n  master = yes\n"+
		"  result_success = continue\n}", filepath.Join(dir, "masters"))
	users := s.inside(s.usersFile())
	w("passdb users {\n  driver = passwd-file\n  passwd_file_path = %s\n}", users)
	w("userdb users {\n  driver = passwd-file\n  passwd_file_path = %s\n  fields {\n    home:default = %s/%%{user}\n"+
		"  }\n}", users, s.MailRoot())
	w("service imap-login {\n  chroot =\n  inet_listener imap {\n    port = %d\n  }\n  inet_listener imaps {\n"+
		"    port = 0\n  }\n}", p.imap)
	w("service doveadm {\n  inet_listener http {\n    port = %d\n  }\n  inet_listener dsync {\n    port = %d\n  }\n}",
		p.http, p.doveadm)
	w("doveadm_api_key = %s\ndoveadm_password = %s", s.APIKey, s.DoveadmPassword)
	if c.Extra != "" {
		w("%s", c.Extra)
	}
	return b.String()
}
