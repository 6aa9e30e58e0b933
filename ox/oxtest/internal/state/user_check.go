package state

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

// ValidAddress is what OX takes for a mail address. One without @ passes.
func ValidAddress(a string) bool {
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
	return Text(p)
}

// Missing lists the mandatory fields that are not set, as OX prints them.
func Missing(data any, fields ...string) []string {
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
func (s *World) checkUserSyntax(in *oxuser.User, creating bool) *soap.Fault {
	if in.Language != nil && !strings.Contains(*in.Language, "_") {
		if creating {
			return s.Fault(KindData, "language must contain an underscore, e.g. en_US")
		}
		return s.Fault(KindData, "Language must contain an underscore, e.g. en_US.")
	}
	if in.Timezone != nil && !validZone(*in.Timezone) {
		return s.Fault(KindData, "The given timezone is invalid")
	}
	if in.PasswordMech != nil && passwordMech(*in.PasswordMech) == "" {
		return s.Fault(KindData, "Invalid PasswordMech: %s. Use one of the following: %s", *in.PasswordMech,
			strings.Join(passwordMechs, ", "))
	}
	if bad := illegal(loginChars, Text(in.Name)); bad != "" {
		return s.Fault(KindData, "Illegal chars: \"%s\"", bad)
	}
	addresses := slices.Clone(in.Aliases)
	for _, p := range []*string{in.PrimaryEmail, in.Email1, in.Email2, in.Email3, in.DefaultSenderAddress} {
		if Text(p) != "" {
			addresses = append(addresses, *p)
		}
	}
	for _, a := range addresses {
		if !ValidAddress(a) {
			return s.Fault(KindData, "Invalid email address: %s", a)
		}
	}
	return s.checkCapabilityAttributes(in.UserAttributes)
}

// checkCapabilityAttributes refuses module permissions that are sent as capabilities.
func (s *World) checkCapabilityAttributes(m *oxuser.SOAPStringMapMap) *soap.Fault {
	if m == nil {
		return nil
	}
	for _, e := range m.Entries {
		if Text(e.Key) != "config" || e.Value == nil {
			continue
		}
		for _, kv := range e.Value.Entries {
			name, ok := strings.CutPrefix(Text(kv.Key), "com.openexchange.capability.")
			if ok && isPermissionName(name) {
				return s.Fault(KindData, "Illegal capability: %s", name)
			}
		}
	}
	return nil
}

// isPermissionName reports whether a capability is a module permission.
func isPermissionName(name string) bool {
	return slices.ContainsFunc(FlagNames, func(f string) bool {
		return strings.EqualFold(f,
			strings.ReplaceAll(name, "_", ""))
	})
}

// checkDisplayName refuses a display name that another user has.
func (s *World) checkDisplayName(c *Context, name string, self int) *soap.Fault {
	if name == "" || s.SharedDisplayNames {
		return nil
	}
	if _, taken := c.ByDisplay.Other(name, self); taken {
		return s.Fault(KindData, "The displayname is already used")
	}
	return nil
}

// checkFolderName is what comes late: a display name that differs only in upper
// and lower case collides with the other user's Drive folder.
func (s *World) checkFolderName(c *Context, name string, self int) *soap.Fault {
	if _, taken := c.byDisplayFold.Other(strings.ToLower(name), self); taken && name != "" && !s.SharedDisplayNames {
		return s.Fault(KindStorage,
			"FLD-0075 Categories=USER_INPUT "+
				"Message='An infostore folder named \"%s\" already exists below folder userstore (10)."+
				" Please choose another display name.'", name)
	}
	return nil
}

// checkPrimary refuses a primary address that another user of the context has.
func (s *World) checkPrimary(c *Context, address string, self int) *soap.Fault {
	if id, taken := c.byPrimary.Other(strings.ToLower(address), self); taken {
		return s.Fault(KindData, "Primary mail address \"%s\" already exists in context %d (Already assigned to user %d).",
			address, c.ID, id)
	}
	return nil
}

const maxImage = 4194304

// checkImage checks what was sent as image1. An empty value is ignored.
func (s *World) checkImage(in *oxuser.User) *soap.Fault {
	if len(in.Image1) == 0 {
		return nil
	}
	kind := Text(in.Image1ContentType)
	if kind == "image/jpg" {
		kind = "image/jpeg"
	}
	switch {
	case in.Image1ContentType == nil:
		return s.Fault(KindStorage, "imageContentType must not be null")
	case len(in.Image1) > maxImage:
		return s.Fault(KindStorage,
			"CON-0101 Categories=USER_INPUT Message='The image is too large: %d bytes, allowed are %d'", len(in.Image1),
			maxImage)
	case http.DetectContentType(in.Image1) != kind:
		return s.Fault(KindStorage, "CON-0171 Categories=USER_INPUT Message='The given file is no image of type %s'",
			*in.Image1ContentType)
	}
	return nil
}

// checkAccess checks a set of flags for a user. Only an admin's
// publicFolderEditable may be set.
func (s *World) checkAccess(a Access, admin bool, uid, cid int) *soap.Fault {
	if a.Has(GlobalAddressBookDisabled) && a&cannotHideBook != 0 && !s.BypassAccessChecks {
		return s.Fault(KindStorage, "Global address book can not be disabled for non-PIM users.")
	}
	if a.Has(PublicFolderEditable) && !admin {
		return s.Fault(KindStorage,
			"FLD-0089 Categories=PERMISSION_DENIED Message='Only the context admin may change the permission of "+
				"public folders, not user %d in context %d.'", uid, cid)
	}
	return nil
}

// AccessArg is what a create or change says about module access.
type AccessArg struct {
	Inherit bool   // nothing: as the context admin has it
	Named   string // a combination
	Flags   Access // or flags, of which publication cannot be cleared
}

// resolve returns the flags that a user gets.
func (s *World) ResolveAccess(c *Context, arg AccessArg, uid int) (Access, *soap.Fault) {
	admin := uid == c.AdminID
	switch {
	case arg.Inherit:
		return c.AccessOf(c.Users[c.AdminID]) &^ PublicFolderEditable, nil
	case arg.Named != "":
		a, ok := Combinations[strings.TrimSpace(arg.Named)]
		if !ok {
			return 0, s.Fault(KindData, "No such access combination name \"%s\"", arg.Named)
		}
		if !admin {
			a &^= PublicFolderEditable
		}
		return a, s.checkAccess(a, admin, uid, c.ID)
	default:
		return arg.Flags | Publication, s.checkAccess(arg.Flags, admin, uid, c.ID)
	}
}

// SetAccess stores flags: one of them is a folder permission, of the user or,
// with a global address book, nobody's.
func (c *Context) SetAccess(u *User, a Access) {
	hidden := GlobalAddressBookDisabled
	u.Access = a &^ hidden
	if c.GABMode != "global" {
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
