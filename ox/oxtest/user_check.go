package oxtest

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Character sets of AdminUser.properties, Group.properties and hosting.properties.
var (
	loginChars   = regexp.MustCompile(`[$@%.+a-zA-Z0-9_-]`)
	groupChars   = regexp.MustCompile(`[ $@%.+a-zA-Z0-9_-]`)
	mappingChars = regexp.MustCompile(`[$%.+a-zA-Z0-9_-]`)
)

// illegal lists the characters of s that are not in the set, each once.
func illegal(set *regexp.Regexp, s string) string {
	var out []rune
	for _, r := range s {
		if !set.MatchString(string(r)) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return string(out)
}

// validAddress is what OX takes for a mail address. One without @ passes.
func validAddress(a string) bool {
	for _, r := range a {
		if r <= ' ' || r >= 0x7F {
			return false
		}
	}
	local, domain, ok := strings.Cut(a, "@")
	return !ok || local != "" && domain != "" && !strings.Contains(domain, "@")
}

func validZone(z string) bool {
	if z == "" || z == "Local" {
		return false
	}
	_, err := time.LoadLocation(z)
	return err == nil
}

var passwordMechs = []string{"CRYPT", "SHA", "SHA-256", "SHA-512", "BCRYPT"}

// passwordMech returns the mechanism as it is stored, or "".
func passwordMech(sent string) string {
	m := strings.ToUpper(strings.Trim(sent, "{}"))
	if !slices.Contains(passwordMechs, m) {
		return ""
	}
	return "{" + m + "}"
}

// textField reads a string field of a generated struct by its Go name.
func textField(v reflect.Value, name string) string {
	p, _ := v.FieldByName(name).Interface().(*string)
	return text(p)
}

// missing lists the mandatory fields that are not set, as OX prints them.
func missing(data any, fields ...string) []string {
	rv := reflect.ValueOf(data).Elem()
	var out []string
	for _, f := range fields {
		if textField(rv, strings.ToUpper(f[:1])+f[1:]) == "" {
			out = append(out, f)
		}
	}
	return out
}

// checkUserSyntax makes the checks that need no other user.
func (s *State) checkUserSyntax(in *oxuser.User, creating bool) *soap.Fault {
	if in.Language != nil && !strings.Contains(*in.Language, "_") {
		if creating {
			return s.fault(kindData, "language must contain an underscore, e.g. en_US")
		}
		return s.fault(kindData, "Language must contain an underscore, e.g. en_US.")
	}
	if in.Timezone != nil && !validZone(*in.Timezone) {
		return s.fault(kindData, "The given timezone is invalid")
	}
	if in.PasswordMech != nil && passwordMech(*in.PasswordMech) == "" {
		return s.fault(kindData, "Invalid PasswordMech: %s. Use one of the following: %s", *in.PasswordMech,
			strings.Join(passwordMechs, ", "))
	}
	if bad := illegal(loginChars, text(in.Name)); bad != "" {
		return s.fault(kindData, "Illegal chars: \"%s\"", bad)
	}
	addresses := slices.Clone(in.Aliases)
	for _, p := range []*string{in.PrimaryEmail, in.Email1, in.Email2, in.Email3, in.DefaultSenderAddress} {
		if text(p) != "" {
			addresses = append(addresses, *p)
		}
	}
	for _, a := range addresses {
		if !validAddress(a) {
			return s.fault(kindData, "Invalid email address: %s", a)
		}
	}
	return s.checkCapabilityAttributes(in.UserAttributes)
}

// checkCapabilityAttributes refuses module permissions that are sent as capabilities.
func (s *State) checkCapabilityAttributes(m *oxuser.SOAPStringMapMap) *soap.Fault {
	if m == nil {
		return nil
	}
	for _, e := range m.Entries {
		if text(e.Key) != "config" || e.Value == nil {
			continue
		}
		for _, kv := range e.Value.Entries {
			name, ok := strings.CutPrefix(text(kv.Key), "com.openexchange.capability.")
			if ok && isPermissionName(name) {
				return s.fault(kindData, "Illegal capability: %s", name)
			}
		}
	}
	return nil
}

// isPermissionName reports whether a capability is a module permission.
func isPermissionName(name string) bool {
	return slices.ContainsFunc(flagNames, func(f string) bool {
		return strings.EqualFold(f,
			strings.ReplaceAll(name, "_", ""))
	})
}

// checkDisplayName refuses a display name that another user has.
func (s *State) checkDisplayName(c *contextState, name string, self int) *soap.Fault {
	if name == "" || s.sharedDisplayNames {
		return nil
	}
	if _, taken := c.byDisplay.other(name, self); taken {
		return s.fault(kindData, "The displayname is already used")
	}
	return nil
}

// checkFolderName is what comes late: a display name that differs only in upper
// and lower case collides with the other user's Drive folder.
func (s *State) checkFolderName(c *contextState, name string, self int) *soap.Fault {
	if _, taken := c.byDisplayFold.other(strings.ToLower(name), self); taken && name != "" && !s.sharedDisplayNames {
		return s.fault(kindStorage,
			"FLD-0075 Categories=USER_INPUT Message='An infostore folder named \"%s\" already exists below folder userstore (10)."+
				" Please choose another display name.'", name)
	}
	return nil
}

// checkPrimary refuses a primary address that another user of the context has.
func (s *State) checkPrimary(c *contextState, address string, self int) *soap.Fault {
	if id, taken := c.byPrimary.other(strings.ToLower(address), self); taken {
		return s.fault(kindData, "Primary mail address \"%s\" already exists in context %d (Already assigned to user %d).",
			address, c.id, id)
	}
	return nil
}

const maxImage = 4194304

// checkImage checks what was sent as image1. An empty value is ignored.
func (s *State) checkImage(in *oxuser.User) *soap.Fault {
	if len(in.Image1) == 0 {
		return nil
	}
	kind := text(in.Image1ContentType)
	if kind == "image/jpg" {
		kind = "image/jpeg"
	}
	switch {
	case in.Image1ContentType == nil:
		return s.fault(kindStorage, "imageContentType must not be null")
	case len(in.Image1) > maxImage:
		return s.fault(kindStorage,
			"CON-0101 Categories=USER_INPUT Message='The image is too large: %d bytes, allowed are %d'", len(in.Image1),
			maxImage)
	case http.DetectContentType(in.Image1) != kind:
		return s.fault(kindStorage, "CON-0171 Categories=USER_INPUT Message='The given file is no image of type %s'",
			*in.Image1ContentType)
	}
	return nil
}

// checkAccess checks a set of flags for a user. Only an admin's
// publicFolderEditable may be set.
func (s *State) checkAccess(a access, admin bool, uid, cid int) *soap.Fault {
	if a.has("globalAddressBookDisabled") && a&cannotHideBook != 0 && !s.bypassAccessChecks {
		return s.fault(kindStorage, "Global address book can not be disabled for non-PIM users.")
	}
	if a.has("publicFolderEditable") && !admin {
		return s.fault(kindStorage,
			"FLD-0089 Categories=PERMISSION_DENIED Message='Only the context admin may change the permission of "+
				"public folders, not user %d in context %d.'", uid, cid)
	}
	return nil
}

// accessArg is what a create or change says about module access.
type accessArg struct {
	inherit bool   // nothing: as the context admin has it
	named   string // a combination
	flags   access // or flags, of which publication cannot be cleared
}

// resolve returns the flags that a user gets.
func (s *State) resolveAccess(c *contextState, arg accessArg, uid int) (access, *soap.Fault) {
	admin := uid == c.adminID
	switch {
	case arg.inherit:
		return c.accessOf(c.users[c.adminID]) &^ flag("publicFolderEditable"), nil
	case arg.named != "":
		a, ok := combinations[strings.TrimSpace(arg.named)]
		if !ok {
			return 0, s.fault(kindData, "No such access combination name \"%s\"", arg.named)
		}
		if !admin {
			a &^= flag("publicFolderEditable")
		}
		return a, s.checkAccess(a, admin, uid, c.id)
	default:
		return arg.flags | flag("publication"), s.checkAccess(arg.flags, admin, uid, c.id)
	}
}

// setAccess stores flags: one of them is a folder permission, of the user or,
// with a global address book, nobody's.
func (c *contextState) setAccess(u *userState, a access) {
	hidden := flag("globalAddressBookDisabled")
	u.access = a &^ hidden
	if c.gabMode != "global" {
		u.bookHidden = a&hidden != 0
	}
}

// serverURI builds what is stored of imapServer and imapPort: a URI whose
// scheme is the secure one only on that one's own port.
func serverURI(host string, port *int32, scheme string, plain, secure int) string {
	if _, after, ok := strings.Cut(host, "://"); ok {
		host = after
	}
	if h, _, ok := strings.Cut(host, ":"); ok && port != nil {
		host = h
	}
	p := plain
	if port != nil {
		p = int(*port)
	}
	if p == secure {
		scheme += "s"
	}
	if strings.Contains(host, ":") {
		return fmt.Sprintf("%s://%s", scheme, host)
	}
	return fmt.Sprintf("%s://%s:%d", scheme, host, p)
}

// splitURI takes a stored URI apart for an answer.
func splitURI(uri, scheme string, plain int) (host string, port int, schema string) {
	schema, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return "", plain, scheme + "://"
	}
	host, p, _ := strings.Cut(rest, ":")
	port = plain
	if n := 0; p != "" {
		if _, err := fmt.Sscanf(p, "%d", &n); err == nil {
			port = n
		}
	}
	return host, port, schema + "://"
}
