package state

import (
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// unstored are the fields of User that a request cannot set, or that need more
// than being copied.
var unstored = map[string]bool{
	// computed or ignored
	"Contextadmin": true, "Default_group": true, "GuiPreferencesForSoap": true, "Id": true, "ImapSchema": true,
	"ImapServerString": true,
	"Password_expired": true, "SmtpSchema": true, "SmtpServerString": true, "UsedQuota": true,
	"Convert_drive_user_folders": true,
	// written, never returned
	"Password": true, "FolderTree": true, "Drive_user_folder_mode": true, "Drive_folder_mode": true,
	// handled one by one
	"Aliases": true, "PasswordMech": true, "UserAttributes": true, "ImapServer": true, "ImapPort": true,
	"SmtpServer": true, "SmtpPort": true,
	"ImapLogin": true, "Image1": true, "Image1ContentType": true, "MaxQuota": true, "FilestoreId": true,
	"Filestore_name": true,
}

// copySent copies the fields that a request set and that are stored as sent.
func copySent(dst, sent *oxuser.User) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(sent).Elem()
	for i := range d.NumField() {
		if f := s.Field(i); !unstored[d.Type().Field(i).Name] && !f.IsNil() {
			d.Field(i).Set(f)
		}
	}
	if Text(sent.ImapServer) != "" {
		dst.ImapServerString = new(serverURI(*sent.ImapServer, sent.ImapPort, "imap", 143, 993))
	}
	if Text(sent.SmtpServer) != "" {
		dst.SmtpServerString = new(serverURI(*sent.SmtpServer, sent.SmtpPort, "smtp", 25, 465))
	}
	if Text(sent.ImapLogin) != "" {
		dst.ImapLogin = sent.ImapLogin
	}
	if len(sent.Image1) > 0 {
		dst.Image1, dst.Image1ContentType = sent.Image1, sent.Image1ContentType
	}
}

// withAddresses adds addresses to aliases, ignoring case.
func withAddresses(aliases []string, more ...string) []string {
	out := slices.Clone(aliases)
	for _, a := range more {
		if a != "" && !containsFold(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func containsFold(l []string, s string) bool {
	return slices.ContainsFunc(l, func(x string) bool { return strings.EqualFold(x, s) })
}

// distinct drops what is in a list twice.
func distinct(l []string) []string {
	var out []string
	for _, s := range l {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

const SpecialUse = "com.openexchange.mail.specialuse.check"

// CreateUser makes a user, or the admin of a new context. The checks come in
// the order of the real server. The answer is the request, completed.
func (s *World) CreateUser(c *Context, in *oxuser.User, arg AccessArg, isAdmin bool) (*oxuser.User, *soap.Fault) {
	if f := s.checkCreate(c, in, isAdmin); f != nil {
		return nil, f
	}
	data := &oxuser.User{Language: new("en_US"), Timezone: new("Europe/Berlin"), Mailenabled: new(true),
		Gui_spam_filter_enabled: new(false),
		PasswordMech:            new("{SHA-256}"), MaxQuota: new(int64(-1)), FilestoreId: new(int32(0)),
		UploadFileSizeLimit:        new(int32(0)),
		UploadFileSizeLimitPerFile: new(int32(0))}
	copySent(data, in)
	if in.PasswordMech != nil {
		data.PasswordMech = new(passwordMech(*in.PasswordMech))
	}
	if Text(data.DefaultSenderAddress) == "" {
		data.DefaultSenderAddress = in.PrimaryEmail
	}
	data.Aliases = withAddresses(distinct(in.Aliases), *in.PrimaryEmail, *data.DefaultSenderAddress)

	// From here on a failure has taken an id.
	u := &User{ID: c.NextID(), Password: *in.Password, Attributes: Attributes{}, Capabilities: map[string]bool{}}
	if isAdmin {
		c.AdminID = u.ID
	}
	u.Attributes.set("config", SpecialUse, "true")
	if !mergeAttributes(u.Attributes, in.UserAttributes) {
		return nil, s.Fault(KindStorage, "Attribute namespace without entries")
	}
	a, f := s.ResolveAccess(c, arg, u.ID)
	if f != nil {
		return nil, f
	}
	if f := s.checkImage(in); f != nil {
		return nil, f
	}
	if Text(in.Drive_folder_mode) != "none" && Text(in.Drive_user_folder_mode) != "none" {
		if f := s.checkFolderName(c, Text(in.Display_name), u.ID); f != nil {
			return nil, f
		}
	}
	if in.MaxQuota != nil && *in.MaxQuota != -1 {
		data.MaxQuota = in.MaxQuota
		data.FilestoreId = Id32(c.FilestoreID)
		data.Filestore_name = new(Itoa(c.ID) + "_ctx_" + Itoa(u.ID) + "_user_store")
	}
	c.SetAccess(u, a)
	c.Store(u, data)
	if g := c.Groups[DefaultGroup]; g != nil {
		g.Members[u.ID] = true
	}

	out := *in
	out.Id = Id32(u.ID)
	out.Contextadmin = new(isAdmin)
	out.Aliases, out.DefaultSenderAddress, out.Mailenabled = data.Aliases, data.DefaultSenderAddress, data.Mailenabled
	out.UserAttributes = AttributesOf(u.Attributes)
	out.ImapPort, out.ImapSchema = orPort(in.ImapPort, 143), new("imap://")
	out.SmtpPort, out.SmtpSchema = orPort(in.SmtpPort, 25), new("smtp://")
	out.Convert_drive_user_folders = new(false)
	return &out, nil
}

func orPort(p *int32, other int) *int32 {
	if p == nil {
		return Id32(other)
	}
	return p
}

// checkCreate makes the checks of create up to the point where an id is taken.
func (s *World) checkCreate(c *Context, in *oxuser.User, isAdmin bool) *soap.Fault {
	if f := s.checkCapabilityAttributes(in.UserAttributes); f != nil {
		return f
	}
	if Text(in.Password) == "" {
		return s.Fault(KindData, "Empty password is not allowed.")
	}
	if m := Missing(in, "name", "display_name", "given_name", "sur_name", "primaryEmail", "email1"); len(m) > 0 {
		return s.Fault(KindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
	}
	if !isAdmin {
		if f := s.checkDisplayName(c, *in.Display_name, 0); f != nil {
			return f
		}
	}
	if f := s.checkUserSyntax(in, true); f != nil {
		return f
	}
	if *in.PrimaryEmail != *in.Email1 {
		return s.Fault(KindData, "primarymail must have the same value as email1")
	}
	if c.UserByName(*in.Name) != nil {
		return s.Fault(KindData, "User %s already exists in this context", *in.Name)
	}
	if f := s.checkPrimary(c, *in.PrimaryEmail, 0); f != nil || isAdmin {
		return f
	}
	return s.checkCapacity(c)
}

// checkCapacity refuses one more user in a context that is full.
func (s *World) checkCapacity(c *Context) *soap.Fault {
	if s.Capacity == 0 {
		return nil
	}
	n := 0
	for _, u := range c.Users {
		if !u.Guest && u.ID != c.AdminID {
			n++
		}
	}
	if n >= s.Capacity {
		return s.Fault(KindStorage, "Maximum number of users per context reached: %d", s.Capacity)
	}
	return nil
}

// ChangeUser applies a change to the stored fields of a user.
func (s *World) ChangeUser(c *Context, u *User, in *oxuser.User) *soap.Fault {
	if f := s.checkUserSyntax(in, false); f != nil {
		return f
	}
	if in.PasswordMech != nil && Text(in.Password) == "" {
		return s.Fault(KindData, "When changing password mechanism, the password string must also be supplied")
	}
	if in.Name != nil && *in.Name != u.Name() {
		switch {
		case !s.UsernameChangeable:
			return s.Fault(KindData, "Changing username is disabled!")
		case *in.Name == "":
			return s.Fault(KindData, "Mandatory fields not set: [name]")
		case c.UserByName(*in.Name) != nil:
			return s.Fault(KindData, "User %s already exists in this context", *in.Name)
		}
	}
	if in.Display_name != nil && *in.Display_name != u.Display() {
		if f := s.checkDisplayName(c, *in.Display_name, u.ID); f != nil {
			return f
		}
	}
	if f := s.checkAddressChange(c, u, in); f != nil {
		return f
	}
	if f := s.checkQuotaChange(u, in); f != nil {
		return f
	}
	if f := s.checkImage(in); f != nil {
		return f
	}
	if in.Display_name != nil && !strings.EqualFold(*in.Display_name, u.Display()) {
		if f := s.checkFolderName(c, *in.Display_name, u.ID); f != nil {
			return f
		}
	}
	attrs := u.Attributes.Clone()
	if !mergeAttributes(attrs, in.UserAttributes) {
		return s.Fault(KindStorage, "Attribute namespace without entries")
	}
	data := *u.Data
	copySent(&data, in)
	if in.Aliases != nil {
		data.Aliases = distinct(in.Aliases)
	}
	if in.MaxQuota != nil {
		data.MaxQuota = in.MaxQuota
	}
	if Text(in.Password) != "" {
		u.Password = *in.Password
		if in.PasswordMech != nil {
			data.PasswordMech = new(passwordMech(*in.PasswordMech))
		}
	}
	u.Attributes = attrs
	c.Store(u, &data)
	return nil
}

// checkAddressChange holds the rules between primary address, email1, default
// sender and aliases. They do not hold for the context admin.
func (s *World) checkAddressChange(c *Context, u *User, in *oxuser.User) *soap.Fault {
	if u.ID == c.AdminID {
		return nil
	}
	inAliases := func() bool {
		after := *u.Data
		if in.Aliases != nil {
			after.Aliases = in.Aliases
		}
		for _, p := range [][2]*string{{in.PrimaryEmail, after.PrimaryEmail}, {in.Email1, after.Email1},
			{in.DefaultSenderAddress, after.DefaultSenderAddress}} {
			v := p[1]
			if p[0] != nil {
				v = p[0]
			}
			if !containsFold(after.Aliases, Text(v)) {
				return false
			}
		}
		return true
	}
	if p := in.PrimaryEmail; p != nil && *p != "" {
		changed := !strings.EqualFold(*p, u.Primary())
		switch {
		case changed && s.PrimaryUnchangeable:
			return s.Fault(KindData, "primary mail must not be changed")
		case !inAliases():
			return s.Fault(KindData, "primaryMail, Email1 and defaultSenderAddress must be present in set of aliases.")
		case in.Email1 == nil:
			return s.Fault(KindData, "email1 not sent but required!")
		case !strings.EqualFold(*in.Email1, *p):
			return s.Fault(KindData, "email1 not equal with primarymail!")
		}
		if changed {
			if f := s.checkPrimary(c, *p, u.ID); f != nil {
				return f
			}
		}
	}
	if !inAliases() {
		return s.Fault(KindData, "primaryMail, Email1 and defaultSenderAddress must be present in set of aliases.")
	}
	return nil
}

// checkQuotaChange refuses to change what belongs to a file store.
func (s *World) checkQuotaChange(u *User, in *oxuser.User) *soap.Fault {
	own := Number(u.Data.FilestoreId) != 0
	switch {
	case in.FilestoreId != nil && Number(in.FilestoreId) != Number(u.Data.FilestoreId):
		return s.Fault(KindStorage, "Changing the file store is not allowed here. Please use the move operations.")
	case in.MaxQuota != nil && *in.MaxQuota != *u.Data.MaxQuota && !own:
		return s.Fault(KindStorage, "Quota cannot be changed because the user has no file store of his own.")
	}
	return nil
}

// DeleteUsers removes users after all checks have passed for each of them.
func (s *World) DeleteUsers(c *Context, users []*User, reassign *int32) *soap.Fault {
	heir := c.AdminID
	if reassign != nil {
		heir = int(*reassign)
	}
	for i, u := range users {
		switch {
		case u.ID == c.AdminID:
			return s.Fault(KindData, "Admin delete not supported")
		case slices.Contains(users[:i], u):
			return s.Fault(KindData, "User %d is given more than once", u.ID)
		case u.ID == heir:
			return s.Fault(KindData, "It is not allowed to reassign the shared data to the user which should be deleted.")
		}
	}
	if reassign != nil && *reassign > 0 {
		to := c.Users[heir]
		if to == nil {
			return s.Fault(KindNoUser, "No such user %d in context %d", heir, c.ID)
		}
		if Number(to.Data.FilestoreId) == 0 {
			return s.Fault(KindData, "The user %d in context %d is not an owner of a filestore.", heir, c.ID)
		}
	}
	for _, u := range users {
		c.PIM.DeleteUser(u.ID, heir)
		for _, g := range c.Groups {
			delete(g.Members, u.ID)
		}
		if h := c.Users[heir]; h != nil {
			h.PersonalData.inherit(u.PersonalData)
		}
		c.Store(u, nil)
	}
	return nil
}
