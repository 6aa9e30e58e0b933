package conformance

import (
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// changed makes a user, sends a raw change and reads the user back.
func (r *run) changed(ch *oxuser.User) (*oxuser.User, error) {
	u, err := r.user()
	if err != nil {
		return nil, err
	}
	ch.Id = new(int32(u.ID))
	if err := r.change(ch); err != nil {
		return nil, err
	}
	return r.get(u.ID)
}

// changeRefused is the check that a change is refused.
func changeRefused(text string, ch oxuser.User, kinds ...string) func(r *run) error {
	return func(r *run) error {
		c := ch
		_, err := r.changed(&c)
		return wants(err, text, kinds...)
	}
}

var changeFacts = []Fact{
	{"nil-unchanged", "xsi:nil in a change leaves the field as it is", func(r *run) error {
		got, err := r.changed(&oxuser.User{Note: new("kept")})
		if err != nil {
			return err
		}
		env := r.nilNote(*got.Id)
		if err := answers(200, "")(r.post("OXUserService", "", env)); err != nil {
			return err
		}
		if got, err = r.get(schoolmail.UserID(*got.Id)); err == nil && text(got.Note) != "kept" {
			err = errorf("the note is %q", text(got.Note))
		}
		return err
	}},
	{"empty-clears", "an empty text clears a contact field", func(r *run) error {
		u, err := r.changed(&oxuser.User{Department: new("7b")})
		if err != nil {
			return err
		}
		if err := r.change(&oxuser.User{Id: u.Id, Department: new("")}); err != nil {
			return err
		}
		if u, err = r.get(schoolmail.UserID(*u.Id)); err == nil && text(u.Department) != "" {
			err = errorf("the department is %q", *u.Department)
		}
		return err
	}},
	{"empty-names", "given name, surname and display name can be emptied by change", func(r *run) error {
		u, err := r.changed(&oxuser.User{Given_name: new(""), Sur_name: new("")})
		if err == nil && (text(u.Given_name) != "" || text(u.Sur_name) != "") {
			err = errorf("got %q %q", text(u.Given_name), text(u.Sur_name))
		}
		return err
	}},
	{"empty-imap-server", "an empty imapServer has no effect", func(r *run) error {
		u, err := r.changed(&oxuser.User{ImapServer: new("imap.conformance.example")})
		if err != nil {
			return err
		}
		if err := r.change(&oxuser.User{Id: u.Id, ImapServer: new("")}); err != nil {
			return err
		}
		if u, err = r.get(schoolmail.UserID(*u.Id)); err == nil && text(u.ImapServer) != "imap.conformance.example" {
			err = errorf("the server is %q", text(u.ImapServer))
		}
		return err
	}},
	{"port-alone", "imapPort without imapServer has no effect", func(r *run) error {
		u, err := r.changed(&oxuser.User{ImapPort: new(int32(9143))})
		if err == nil && *u.ImapPort != 143 {
			err = errorf("the port is %d", *u.ImapPort)
		}
		return err
	}},
	{"empty-language", "an empty language is refused", changeRefused("Language must contain an underscore",
		oxuser.User{Language: new("")}, kindData)},
	{"empty-primary", "an empty primary address is refused", changeRefused("must be present in set of aliases",
		oxuser.User{PrimaryEmail: new("")}, kindData)},
	{"aliases-replaced", "aliases are replaced as a whole", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		for _, l := range [][]string{{u.PrimaryEmail, "one@x.example"}, {u.PrimaryEmail, "two@x.example"}} {
			if err := r.change(&oxuser.User{Id: new(int32(u.ID)), Aliases: l}); err != nil {
				return err
			}
		}
		got, err := r.get(u.ID)
		if err == nil && (len(got.Aliases) != 2 || slices.Contains(got.Aliases, "one@x.example")) {
			err = errorf("aliases are %v", got.Aliases)
		}
		return err
	}},
	{"aliases-without-primary", "aliases without the primary address are refused",
		changeRefused("must be present in set of aliases",
			oxuser.User{Aliases: []string{"other@x.example"}}, kindData)},
	{"primary-needs-email1", "a new primary address needs email1", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		err = r.change(&oxuser.User{Id: new(int32(u.ID)), PrimaryEmail: new("new@x.example"),
			Aliases: []string{"new@x.example", u.PrimaryEmail}})
		return wants(err, "email1 not sent but required!", kindData)
	}},
	{"primary-among-aliases", "a new primary address needs the old sender among the aliases",
		changeRefused("must be present in set of aliases",
			oxuser.User{PrimaryEmail: new("new@x.example"), Aliases: []string{"new@x.example"}}, kindData)},
	{"primary-complete", "primary address, email1, default sender and aliases change together", func(r *run) error {
		n := "primary" + r.name() + "@x.example"
		u, err := r.changed(&oxuser.User{PrimaryEmail: &n, Email1: &n, DefaultSenderAddress: &n, Aliases: []string{n}})
		if err == nil && (text(u.PrimaryEmail) != n || text(u.Email1) != n) {
			err = errorf("got %s and %s", text(u.PrimaryEmail), text(u.Email1))
		}
		return err
	}},
	{"mech-alone", "a password mechanism without a password is refused",
		changeRefused("the password string must also be supplied",
			oxuser.User{PasswordMech: new("SHA")}, kindData)},
	{"attributes-merged", "userAttributes are merged, and a nil value deletes a key", func(r *run) error {
		attrs := func(kv ...*oxuser.Entry) *oxuser.SOAPStringMapMap {
			return &oxuser.SOAPStringMapMap{Entries: []*oxuser.SOAPMapEntry{{Key: new("conf"),
				Value: &oxuser.SOAPStringMap{Entries: kv}}}}
		}
		u, err := r.changed(&oxuser.User{UserAttributes: attrs(&oxuser.Entry{Key: new("a"), Value: new("1")},
			&oxuser.Entry{Key: new("b"), Value: new("2")})})
		if err != nil {
			return err
		}
		if err := r.change(&oxuser.User{Id: u.Id, UserAttributes: attrs(&oxuser.Entry{Key: new("a")})}); err != nil {
			return err
		}
		if u, err = r.get(schoolmail.UserID(*u.Id)); err != nil {
			return err
		}
		got := map[string]string{}
		for _, e := range u.UserAttributes.Entries {
			if text(e.Key) == "conf" {
				for _, kv := range e.Value.Entries {
					got[text(kv.Key)] = text(kv.Value)
				}
			}
		}
		if len(got) != 1 || got["b"] != "2" {
			return errorf("attributes are %v", got)
		}
		return nil
	}},
	{"dates-kept", "a birthday comes back as the same day", func(r *run) error {
		u, err := r.changed(&oxuser.User{Birthday: &xsd.Date{Year: 2010, Month: 5, Day: 4}})
		if err == nil && (u.Birthday == nil || u.Birthday.Year != 2010 || u.Birthday.Month != 5 || u.Birthday.Day != 4) {
			err = errorf("got %v", u.Birthday)
		}
		return err
	}},
	{"quota-without-store", "maxQuota of a user without a file store is refused",
		changeRefused("", oxuser.User{MaxQuota: new(int64(5))}, kindStorage)},
	{"own-store", "maxQuota on create gives the user a file store", func(r *run) error {
		made, err := r.create(r.rawPerson(r.name(), func(u *oxuser.User) { u.MaxQuota = new(int64(5)) }))
		if err != nil {
			return err
		}
		u, err := r.get(schoolmail.UserID(*made.Id))
		if err == nil && (u.FilestoreId == nil || *u.FilestoreId == 0) {
			err = errorf("no file store")
		}
		return err
	}},
}
