package udm

import (
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// User is what users/user has of a person at a school. Empty fields are not sent.
type User struct {
	Username     string
	FirstName    string
	LastName     string
	DisplayName  string
	Password     schoolmail.Secret // never read
	UnixHome     string
	PrimaryGroup string   // DN
	Groups       []string // DNs; a change replaces the list

	MailPrimaryAddress     string
	MailAlternativeAddress []string
	EMail                  []string // attribute mail
	MailHomeServer         string
	Phone                  []string
	PreferredLanguage      string
	DepartmentNumber       []string
	Disabled               bool

	OX                      bool // isOxUser
	OXContext               schoolmail.ContextID
	OXAccess                string
	OXDisplayName           string
	School, SchoolRoles     []string
	SourceUID, RecordUID    string
	Student, Teacher, Staff bool // options

	Extra Properties // extended attributes and others
}

// Object returns the user as it is sent on create. What UDM would set by itself
// in a way that nobody wants is always in it: options, and whether it is a user
// of Open-Xchange.
func (u User) Object(position string) Object {
	p := Properties{"disabled": u.Disabled, "isOxUser": u.OX}
	text := func(name, v string) {
		if v != "" {
			p[name] = v
		}
	}
	list := func(name string, v []string) {
		if len(v) > 0 {
			p[name] = v
		}
	}
	text("username", u.Username)
	text("firstname", u.FirstName)
	text("lastname", u.LastName)
	text("displayName", u.DisplayName)
	text("password", u.Password.Reveal())
	text("unixhome", u.UnixHome)
	text("primaryGroup", u.PrimaryGroup)
	list("groups", u.Groups)
	text("mailPrimaryAddress", u.MailPrimaryAddress)
	list("mailAlternativeAddress", u.MailAlternativeAddress)
	list("e-mail", u.EMail)
	text("mailHomeServer", u.MailHomeServer)
	list("phone", u.Phone)
	text("preferredLanguage", u.PreferredLanguage)
	list("departmentNumber", u.DepartmentNumber)
	if u.OXContext != 0 {
		p["oxContext"] = int(u.OXContext)
	}
	text("oxAccess", u.OXAccess)
	text("oxDisplayName", u.OXDisplayName)
	list("school", u.School)
	list("ucsschoolRole", u.SchoolRoles)
	text("ucsschoolSourceUID", u.SourceUID)
	text("ucsschoolRecordUID", u.RecordUID)
	maps.Copy(p, u.Extra)
	return Object{Position: position, Properties: p, Options: map[string]bool{
		"ucsschoolStudent": u.Student, "ucsschoolTeacher": u.Teacher, "ucsschoolStaff": u.Staff}}
}

// UserOf reads a user out of an object.
func UserOf(o Object) User {
	p := o.Properties
	return User{Username: p.text("username"), FirstName: p.text("firstname"), LastName: p.text("lastname"),
		DisplayName: p.text("displayName"), UnixHome: p.text("unixhome"), PrimaryGroup: p.text("primaryGroup"),
		Groups: p.list("groups"), MailPrimaryAddress: p.text("mailPrimaryAddress"),
		MailAlternativeAddress: p.list("mailAlternativeAddress"), EMail: p.list("e-mail"),
		MailHomeServer: p.text("mailHomeServer"), Phone: p.list("phone"), PreferredLanguage: p.text("preferredLanguage"),
		DepartmentNumber: p.list("departmentNumber"), Disabled: p.flag("disabled"), OX: p.flag("isOxUser"),
		OXContext: schoolmail.ContextID(p.number("oxContext")), OXAccess: p.text("oxAccess"),
		OXDisplayName: p.text("oxDisplayName"), School: p.list("school"), SchoolRoles: p.list("ucsschoolRole"),
		SourceUID: p.text("ucsschoolSourceUID"), RecordUID: p.text("ucsschoolRecordUID"),
		Student: o.Options["ucsschoolStudent"], Teacher: o.Options["ucsschoolTeacher"], Staff: o.Options["ucsschoolStaff"]}
}

// Group is what groups/group has of a group of people.
type Group struct {
	Name        string
	Description string
	Users       []string // DNs
	SchoolRoles []string
	InOX        bool // isOxGroup, which UDM would switch on by itself
}

// Object returns the group as it is sent on create.
func (g Group) Object(position string) Object {
	p := Properties{"name": g.Name, "isOxGroup": g.InOX}
	if g.Description != "" {
		p["description"] = g.Description
	}
	if len(g.Users) > 0 {
		p["users"] = g.Users
	}
	if len(g.SchoolRoles) > 0 {
		p["ucsschoolRole"] = g.SchoolRoles
	}
	return Object{Position: position, Properties: p}
}

// GroupOf reads a group out of an object.
func GroupOf(o Object) Group {
	p := o.Properties
	return Group{Name: p.text("name"), Description: p.text("description"), Users: p.list("users"),
		SchoolRoles: p.list("ucsschoolRole"), InOX: p.flag("isOxGroup")}
}

// OXContext is an Open-Xchange context as UDM knows it. UDM does not look whether
// the number is taken.
type OXContext struct {
	Name    string
	ID      schoolmail.ContextID
	QuotaMB int
}

// Object returns the context as it is sent on create.
func (x OXContext) Object(position string) Object {
	return Object{Position: position, Properties: Properties{"name": x.Name, "contextid": int(x.ID), "oxQuota": x.QuotaMB}}
}

// OXContextOf reads a context out of an object.
func OXContextOf(o Object) OXContext {
	p := o.Properties
	return OXContext{Name: p.text("name"), ID: schoolmail.ContextID(p.number("contextid")), QuotaMB: p.number("oxQuota")}
}

// AccessProfile is a named set of rights in Open-Xchange.
type AccessProfile struct {
	Name, DisplayName string
	Rights            []string // names of properties that are on, such as "webmail"
}

// Object returns the profile as it is sent on create.
func (x AccessProfile) Object(position string) Object {
	p := Properties{"name": x.Name, "displayName": x.DisplayName}
	for _, r := range x.Rights {
		p[r] = true
	}
	return Object{Position: position, Properties: p}
}

// AccessProfileOf reads a profile out of an object.
func AccessProfileOf(o Object) AccessProfile {
	x := AccessProfile{Name: o.Properties.text("name"), DisplayName: o.Properties.text("displayName")}
	for n, v := range o.Properties {
		if on, ok := v.(bool); ok && on {
			x.Rights = append(x.Rights, n)
		}
	}
	slices.Sort(x.Rights)
	return x
}
