package ucstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

type propertyKind int

const (
	textProperty propertyKind = iota
	listProperty
	numberProperty
	flagProperty // bool in JSON
	oxProperty   // bool in JSON, OK or Not in LDAP
	dateProperty // YYYY-MM-DD in JSON, a time in LDAP
)

// property is what UDM calls an attribute.
type property struct {
	name, attr string
	kind       propertyKind
	school     bool     // exists only with an option of UCS@school
	virtual    bool     // has a meaning of its own
	fixed      bool     // cannot be given
	classes    []string // that it brings with it
}

// module is a type of objects.
type module struct {
	name   string
	naming string // attribute of the RDN
	props  []property
}

func (m *module) prop(name string) *property {
	for i := range m.props {
		if m.props[i].name == name {
			return &m.props[i]
		}
	}
	return nil
}

var userProperties = []property{
	{name: "username", attr: "uid"}, {name: "firstname", attr: "givenName"}, {name: "lastname", attr: "sn"},
	{name: "displayName", attr: "displayName"}, {name: "title", attr: "title"}, {name: "description", attr: "description"},
	{name: "unixhome", attr: "homeDirectory"}, {name: "shell", attr: "loginShell"}, {name: "gecos", attr: "gecos"},
	{name: "mailPrimaryAddress", attr: "mailPrimaryAddress"},
	{name: "mailAlternativeAddress", attr: "mailAlternativeAddress", kind: listProperty},
	{name: "e-mail", attr: "mail", kind: listProperty}, {name: "mailHomeServer", attr: "univentionMailHomeServer"},
	{name: "mailUserQuota", attr: "univentionMailUserQuota", kind: numberProperty},
	{name: "phone", attr: "telephoneNumber", kind: listProperty}, {name: "preferredLanguage", attr: "preferredLanguage"},
	{name: "departmentNumber", attr: "departmentNumber", kind: listProperty},
	{name: "birthday", attr: "univentionBirthday", classes: []string{"univentionPerson"}},
	{name: "sambahome", attr: "sambaHomePath"}, {name: "homedrive", attr: "sambaHomeDrive"},
	{name: "profilepath", attr: "sambaProfilePath"}, {name: "scriptpath", attr: "sambaLogonScript"},
	{name: "uidNumber", attr: "uidNumber", kind: numberProperty, fixed: true},
	{name: "gidNumber", attr: "gidNumber", kind: numberProperty, fixed: true},
	{name: "school", attr: "ucsschoolSchool", kind: listProperty, school: true},
	{name: "ucsschoolRole", attr: "ucsschoolRole", kind: listProperty, school: true},
	{name: "ucsschoolSourceUID", attr: "ucsschoolSourceUID", school: true},
	{name: "ucsschoolRecordUID", attr: "ucsschoolRecordUID", school: true},
	{name: "ucsschoolPurgeTimestamp", attr: "ucsschoolPurgeTimestamp", kind: dateProperty, school: true},
	{name: "isOxUser", attr: "isOxUser", kind: oxProperty},
	{name: "oxContext", attr: "oxContextIDNum", kind: numberProperty}, {name: "oxAccess", attr: "oxAccess"},
	{name: "oxDisplayName", attr: "oxDisplayName"}, {name: "oxUserQuota", attr: "oxUserQuota"},
	{name: "password", virtual: true}, {name: "disabled", kind: flagProperty, virtual: true},
	{name: "groups", kind: listProperty, virtual: true}, {name: "primaryGroup", virtual: true},
	{name: "pwdChangeNextLogin", virtual: true, kind: flagProperty},
	{name: "overridePWHistory", kind: flagProperty, virtual: true},
	{name: "overridePWLength", kind: flagProperty, virtual: true},
}

var modules = []module{
	{name: "groups/group", naming: "cn", props: []property{{name: "name", attr: "cn"},
		{name: "description", attr: "description"}, {name: "mailAddress", attr: "mailPrimaryAddress"},
		{name: "gidNumber", attr: "gidNumber", kind: numberProperty, fixed: true},
		{name: "users", attr: "uniqueMember", kind: listProperty, virtual: true},
		{name: "ucsschoolRole", attr: "ucsschoolRole", kind: listProperty, classes: []string{"ucsschoolGroup"}},
		{name: "isOxGroup", attr: "isOxGroup", kind: oxProperty}}},
	{name: "oxmail/oxcontext", naming: "cn", props: []property{{name: "name", attr: "cn"},
		{name: "contextid", attr: "oxContextIDNum", kind: numberProperty},
		{name: "oxQuota", attr: "oxQuota", kind: numberProperty}}},
}

func (u *UDM) module(name string) *module {
	if name == "users/user" {
		return &module{name: name, naming: "uid", props: slices.Concat(userProperties, u.properties)}
	}
	for i := range modules {
		if modules[i].name == name {
			return &modules[i]
		}
	}
	return nil
}

// ldapValues turns a JSON value into values of the attribute. nil clears it.
func (p *property) ldapValues(v any) ([]string, error) {
	bad := func(want string) error { return atProperty(p.name, fmt.Sprintf("must be of type %s", want)) }
	if v == nil {
		return nil, nil
	}
	switch p.kind {
	case listProperty:
		list, ok := v.([]any)
		if !ok {
			return nil, bad("array")
		}
		var out []string
		for _, x := range list {
			s, ok := x.(string)
			if !ok {
				return nil, bad("string")
			}
			out = append(out, s)
		}
		return out, nil
	case numberProperty:
		n, ok := v.(float64)
		if !ok || n != float64(int64(n)) {
			return nil, bad("integer")
		}
		return []string{strconv.FormatInt(int64(n), 10)}, nil
	case flagProperty, oxProperty:
		b, ok := v.(bool)
		if !ok {
			return nil, bad("boolean")
		}
		switch {
		case p.kind == flagProperty:
			return []string{strconv.FormatBool(b)}, nil
		case b:
			return []string{"OK"}, nil
		}
		return []string{"Not"}, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, bad("string")
	}
	if p.kind == dateProperty && s != "" {
		t, err := time.Parse("2006-01-02", s)
		if err != nil {
			return nil, atProperty(p.name, "not a date")
		}
		s = t.Format("20060102") + "000000Z"
	}
	switch {
	case s == "" && p.name == "mailPrimaryAddress": // null removes an address; this is one with a fault
		return nil, atProperty(p.name, "not an address")
	case s == "":
		return nil, nil
	}
	return []string{s}, nil
}

// jsonValue turns the values of an entry into what UDM shows.
func (p *property) jsonValue(e *ldap.Entry) any {
	vals := e.GetEqualFoldAttributeValues(p.attr)
	if p.kind == listProperty {
		if vals == nil {
			return []string{}
		}
		return vals
	}
	if len(vals) == 0 {
		if p.kind == oxProperty {
			return false
		}
		return nil
	}
	switch p.kind {
	case numberProperty:
		if n, err := strconv.Atoi(vals[0]); err == nil {
			return n
		}
	case oxProperty:
		return strings.EqualFold(vals[0], "OK")
	case dateProperty:
		if len(vals[0]) >= 8 {
			return vals[0][:4] + "-" + vals[0][4:6] + "-" + vals[0][6:8]
		}
	}
	return vals[0]
}

// udmBody is what create and change send.
type udmBody struct {
	Position   string          `json:"position"`
	Options    map[string]bool `json:"options"`
	Properties map[string]any  `json:"properties"`
}

// values checks properties and turns them into attribute values by property.
func (m *module) values(p map[string]any) (map[string][]string, error) {
	out := map[string][]string{}
	names := make([]string, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		prop := m.prop(n)
		if prop == nil || prop.fixed {
			return nil, refuse(http.StatusUnprocessableEntity, "the module has no property "+n, "body", "properties", n)
		}
		v, err := prop.ldapValues(p[n])
		if err != nil {
			return nil, err
		}
		out[n] = v
	}
	return out, nil
}

// roleClasses are the options that are role classes of UCS@school.
var roleClasses = []string{"ucsschoolStudent", "ucsschoolTeacher", "ucsschoolStaff", "ucsschoolAdministrator",
	"ucsschoolExam"}

// checkOptions refuses pupils that are something else at once.
func checkOptions(on []string) error {
	if slices.Contains(on, "ucsschoolStudent") && (slices.Contains(on, "ucsschoolTeacher") ||
		slices.Contains(on, "ucsschoolStaff") || slices.Contains(on, "ucsschoolAdministrator")) {
		return refuse(http.StatusUnprocessableEntity, "options exclude each other", "body", "options")
	}
	return nil
}

// show is the representation of an object.
func (u *UDM) show(m *module, e *ldap.Entry) (map[string]any, error) {
	p := map[string]any{}
	for i := range m.props {
		prop := &m.props[i]
		if !prop.virtual || prop.attr != "" {
			p[prop.name] = prop.jsonValue(e)
		}
	}
	options := map[string]bool{}
	if m.name == "users/user" {
		if err := u.showUser(e, p); err != nil {
			return nil, err
		}
		for _, c := range roleClasses {
			options[c] = hasClass(e, c)
		}
	}
	parsed, err := ldap.ParseDN(e.DN)
	if err != nil {
		return nil, err
	}
	parent := (&ldap.DN{RDNs: parsed.RDNs[1:]}).String()
	if i := strings.IndexByte(e.DN, ','); i >= 0 && !strings.Contains(e.DN[:i], `\`) {
		parent = e.DN[i+1:]
	}
	return map[string]any{"dn": e.DN, "objectType": m.name, "id": parsed.RDNs[0].Attributes[0].Value, "position": parent,
		"uuid": e.GetAttributeValue("entryUUID"), "uri": u.uri(m, e.DN), "properties": p, "options": options,
		"policies": map[string]any{}}, nil
}

func hasClass(e *ldap.Entry, class string) bool {
	return slices.ContainsFunc(e.GetAttributeValues("objectClass"),
		func(c string) bool { return strings.EqualFold(c, class) })
}
