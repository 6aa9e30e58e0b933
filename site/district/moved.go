package district

import (
	"regexp"
	"strings"
)

// Keys and sections of the files before there was one for all programs, and where
// they stand now. The numbers of array sections are left out.
var movedKeys = map[string]string{
	"dovecot": "[mail]", "smtp": "[notices]",

	// addressbooks.toml
	"rules": "rules in [addressbooks]", "ldap": "[directory]", "provider": "[addressbooks.provider]",
	"ox.url": "http_url in [ox]", "ox.user_agent": "user_agent in [addressbooks]",
	"ox.requests_per_5_minutes": "requests_per_5_minutes in [addressbooks]",
	"ox.contexts":               "service_login and service_password in each [[context]]",

	// galprobe.toml
	"http_url": "http_url in [ox]", "soap_urls": "soap_urls in [ox]", "control_url": "control_url in [galprobe]",
	"dav_root": "dav_root in [galprobe]", "server_version": "server_version in [galprobe]",
	"context.control":  "admin_login and admin_password in [[context]]",
	"context.accounts": "probe in [[context]]", "context.exempt": "exempt in [galprobe]",
	"context.book": "book in [galprobe]",

	// migrate.toml
	"from": "from in [migrate]", "to": "to in [migrate]", "from_password": "from_password in [migrate]",
	"to_password": "to_password in [migrate]",
	"insecure":    "insecure in [migrate]", "from_connections": "from_connections in [migrate]",
	"to_connections":        "to_connections in [migrate]",
	"from_bytes_per_second": "from_bytes_per_second in [migrate]", "wave": "wave in [migrate]",
	"users":    "users in [migrate]",
	"parallel": "parallel in [migrate]", "cut_over": "cut_over in [migrate]", "keep_deleted": "keep_deleted in [migrate]",
	"max_deleted": "max_deleted in [migrate]", "window": "[[migrate.window]]", "folders": "[migrate.folders]",
	"spool": "[migrate.spool]",
}

var numbers = regexp.MustCompile(`\[[0-9]+\]`)

// moved says where an old key or section stands now.
func moved(path string) (string, bool) {
	now, ok := movedKeys[numbers.ReplaceAllString(path, "")]
	return strings.TrimSpace(now), ok
}
