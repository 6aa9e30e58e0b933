package dovecotd

import (
	_ "embed" // the database of limits
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// emptyQuotas is an SQLite database of one table, which no server can make:
//
//	CREATE TABLE quota (username TEXT PRIMARY KEY, storage INTEGER)
//
//go:embed quota.sqlite
var emptyQuotas []byte

// limits24 is a dict in SQL, where doveadm finds it under the name quota_clone, and the userdb
// that reads the limits.
const limits24 = `sqlite_path = %s
dict_server {
  dict quota {
    driver = sql
    sql_driver = sqlite
    dict_map priv/quota/limit/storage {
      sql_table = quota
      username_field = username
      value_field storage {
      }
    }
  }
}
service dict {
  unix_listener dict {
    mode = 0666
  }
}
quota_clone {
  dict proxy {
    name = quota
  }
}
userdb limits {
  driver = sql
  sql_driver = sqlite
  use_cache = no
  userdb_sql_query = SELECT storage || 'K' AS quota_storage_size FROM quota WHERE username = '%%{user}'
  userdb_sql_iterate_query = SELECT username AS user FROM quota WHERE 0
}`

// QuotaDict24 reports whether Config.QuotaDict is possible with Dovecot 2.4: the root that is
// there may lack SQLite.
func QuotaDict24() bool {
	_, err := os.Stat(filepath.Join(root24(), "usr/lib/dovecot/modules/dict/libdriver_sqlite.so"))
	return err == nil
}

func root24() string {
	return orDefault(os.Getenv("SCHOOLMAIL_DOVECOT24_ROOT"), "/var/cache/schoolmail-dovecot24")
}

// prepareDict24 puts the database where the dict service and the userdb, which are users of their
// own, may write it.
func (s *Server) prepareDict24() error {
	s.QuotaDict = "quota_clone"
	if err := os.Mkdir(s.quotaDir(), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.quotaDB(), emptyQuotas, 0o644); err != nil {
		return err
	}
	for _, f := range []string{s.quotaDir(), s.quotaDB()} {
		if err := os.Chmod(f, 0o777); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) quotaDir() string { return filepath.Join(s.Dir, "quota") }
func (s *Server) quotaDB() string  { return filepath.Join(s.quotaDir(), "limits") }

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
	c.namespace(w)
	w("passdb masters {\n  driver = passwd-file\n  passwd_file_path = %s\n  master = yes\n"+
		"  result_success = continue\n}", filepath.Join(dir, "masters"))
	users := s.inside(s.usersFile())
	then := ""
	if c.QuotaDict {
		then = "\n  result_success = continue-ok\n  result_failure = return-fail"
	}
	w("passdb users {\n  driver = passwd-file\n  passwd_file_path = %s\n}", users)
	w("userdb users {\n  driver = passwd-file\n  passwd_file_path = %s\n  fields {\n    home:default = %s/%%{user}\n"+
		"  }%s\n}", users, s.MailRoot(), then)
	if c.QuotaDict {
		w(limits24, s.inside(s.quotaDB()))
	}
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
