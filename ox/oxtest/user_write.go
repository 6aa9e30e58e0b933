package oxtest

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
	if text(sent.ImapServer) != "" {
		dst.ImapServerString = new(serverURI(*sent.ImapServer, sent.ImapPort, "imap", 143, 993))
	}
	if text(sent.SmtpServer) != "" {
		dst.SmtpServerString = new(serverURI(*sent.SmtpServer, sent.SmtpPort, "smtp", 25, 465))
	}
	if text(sent.ImapLogin) != "" {
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

const specialUse = "com.openexchange.mail.specialuse.check"

// createUser makes a user, or the admin of a new context. The checks come in
// the order of the real server. The answer is the request, completed.
func (s *State) createUser(c *contextState, in *oxuser.User, arg accessArg, isAdmin bool) (*oxuser.User, *soap.Fault) {
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
	if text(data.DefaultSenderAddress) == "" {
		data.DefaultSenderAddress = in.PrimaryEmail
	}
	data.Aliases = withAddresses(distinct(in.Aliases), *in.PrimaryEmail, *data.DefaultSenderAddress)

	// From here on a failure has taken an id.
	u := &userState{id: c.nextID(), password: *in.Password, attributes: attributes{}, capabilities: map[string]bool{}}
	if isAdmin {
		c.adminID = u.id
	}
	u.attributes.set("config", specialUse, "true")
	if !mergeAttributes(u.attributes, in.UserAttributes) {
		return nil, s.fault(kindStorage, "Attribute namespace without entries")
	}
	a, f := s.resolveAccess(c, arg, u.id)
	if f != nil {
		return nil, f
	}
	if f := s.checkImage(in); f != nil {
		return nil, f
	}
	if text(in.Drive_folder_mode) != "none" && text(in.Drive_user_folder_mode) != "none" {
		if f := s.checkFolderName(c, text(in.Display_name), u.id); f != nil {
			return nil, f
		}
	}
	if in.MaxQuota != nil && *in.MaxQuota != -1 {
		data.MaxQuota = in.MaxQuota
		data.FilestoreId = id32(c.filestoreID)
		data.Filestore_name = new(itoa(c.id) + "_ctx_" + itoa(u.id) + "_user_store")
	}
	c.setAccess(u, a)
	c.store(u, data)
	if g := c.groups[defaultGroup]; g != nil {
		g.members[u.id] = true
	}

	out := *in
	out.Id = id32(u.id)
	out.Contextadmin = new(isAdmin)
	out.Aliases, out.DefaultSenderAddress, out.Mailenabled = data.Aliases, data.DefaultSenderAddress, data.Mailenabled
	out.UserAttributes = attributesOf(u.attributes)
	out.ImapPort, out.ImapSchema = orPort(in.ImapPort, 143), new("imap://")
	out.SmtpPort, out.SmtpSchema = orPort(in.SmtpPort, 25), new("smtp://")
	out.Convert_drive_user_folders = new(false)
	return &out, nil
}

func orPort(p *int32, other int) *int32 {
	if p == nil {
		return id32(other)
	}
	return p
}

// checkCreate makes the checks of create up to the point where an id is taken.
func (s *State) checkCreate(c *contextState, in *oxuser.User, isAdmin bool) *soap.Fault {
	if f := s.checkCapabilityAttributes(in.UserAttributes); f != nil {
		return f
	}
	if text(in.Password) == "" {
		return s.fault(kindData, "Empty password is not allowed.")
	}
	if m := missing(in, "name", "display_name", "given_name", "sur_name", "primaryEmail", "email1"); len(m) > 0 {
		return s.fault(kindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
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
		return s.fault(kindData, "primarymail must have the same value as email1")
	}
	if c.userByName(*in.Name) != nil {
		return s.fault(kindData, "User %s already exists in this context", *in.Name)
	}
	if f := s.checkPrimary(c, *in.PrimaryEmail, 0); f != nil || isAdmin {
		return f
	}
	return s.checkCapacity(c)
}

// checkCapacity refuses one more user in a context that is full.
func (s *State) checkCapacity(c *contextState) *soap.Fault {
	if s.capacity == 0 {
		return nil
	}
	n := 0
	for _, u := range c.users {
		if !u.guest && u.id != c.adminID {
			n++
		}
	}
	if n >= s.capacity {
		return s.fault(kindStorage, "Maximum number of users per context reached: %d", s.capacity)
	}
	return nil
}

// changeUser applies a change to the stored fields of a user.
func (s *State) changeUser(c *contextState, u *userState, in *oxuser.User) *soap.Fault {
	if f := s.checkUserSyntax(in, false); f != nil {
		return f
	}
	if in.PasswordMech != nil && text(in.Password) == "" {
		return s.fault(kindData, "When changing password mechanism, the password string must also be supplied")
	}
	if in.Name != nil && *in.Name != u.name() {
		switch {
		case !s.usernameChangeable:
			return s.fault(kindData, "Changing username is disabled!")
		case *in.Name == "":
			return s.fault(kindData, "Mandatory fields not set: [name]")
		case c.userByName(*in.Name) != nil:
			return s.fault(kindData, "User %s already exists in this context", *in.Name)
		}
	}
	if in.Display_name != nil && *in.Display_name != u.display() {
		if f := s.checkDisplayName(c, *in.Display_name, u.id); f != nil {
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
	if in.Display_name != nil && !strings.EqualFold(*in.Display_name, u.display()) {
		if f := s.checkFolderName(c, *in.Display_name, u.id); f != nil {
			return f
		}
	}
	attrs := u.attributes.clone()
	if !mergeAttributes(attrs, in.UserAttributes) {
		return s.fault(kindStorage, "Attribute namespace without entries")
	}
	data := *u.data
	copySent(&data, in)
	if in.Aliases != nil {
		data.Aliases = distinct(in.Aliases)
	}
	if in.MaxQuota != nil {
		data.MaxQuota = in.MaxQuota
	}
	if text(in.Password) != "" {
		u.password = *in.Password
		if in.PasswordMech != nil {
			data.PasswordMech = new(passwordMech(*in.PasswordMech))
		}
	}
	u.attributes = attrs
	c.store(u, &data)
	return nil
}

// checkAddressChange holds the rules between primary address, email1, default
// sender and aliases. They do not hold for the context admin.
func (s *State) checkAddressChange(c *contextState, u *userState, in *oxuser.User) *soap.Fault {
	if u.id == c.adminID {
		return nil
	}
	inAliases := func() bool {
		after := *u.data
		if in.Aliases != nil {
			after.Aliases = in.Aliases
		}
		for _, p := range [][2]*string{{in.PrimaryEmail, after.PrimaryEmail}, {in.Email1, after.Email1},
			{in.DefaultSenderAddress, after.DefaultSenderAddress}} {
			v := p[1]
			if p[0] != nil {
				v = p[0]
			}
			if !containsFold(after.Aliases, text(v)) {
				return false
			}
		}
		return true
	}
	if p := in.PrimaryEmail; p != nil && *p != "" {
		changed := !strings.EqualFold(*p, u.primary())
		switch {
		case changed && s.primaryUnchangeable:
			return s.fault(kindData, "primary mail must not be changed")
		case !inAliases():
			return s.fault(kindData, "primaryMail, Email1 and defaultSenderAddress must be present in set of aliases.")
		case in.Email1 == nil:
			return s.fault(kindData, "email1 not sent but required!")
		case !strings.EqualFold(*in.Email1, *p):
			return s.fault(kindData, "email1 not equal with primarymail!")
		}
		if changed {
			if f := s.checkPrimary(c, *p, u.id); f != nil {
				return f
			}
		}
	}
	if !inAliases() {
		return s.fault(kindData, "primaryMail, Email1 and defaultSenderAddress must be present in set of aliases.")
	}
	return nil
}

// checkQuotaChange refuses to change what belongs to a file store.
func (s *State) checkQuotaChange(u *userState, in *oxuser.User) *soap.Fault {
	own := number(u.data.FilestoreId) != 0
	switch {
	case in.FilestoreId != nil && number(in.FilestoreId) != number(u.data.FilestoreId):
		return s.fault(kindStorage, "Changing the file store is not allowed here. Please use the move operations.")
	case in.MaxQuota != nil && *in.MaxQuota != *u.data.MaxQuota && !own:
		return s.fault(kindStorage, "Quota cannot be changed because the user has no file store of his own.")
	}
	return nil
}

// deleteUsers removes users after all checks have passed for each of them.
func (s *State) deleteUsers(c *contextState, users []*userState, reassign *int32) *soap.Fault {
	heir := c.adminID
	if reassign != nil {
		heir = int(*reassign)
	}
	for i, u := range users {
		switch {
		case u.id == c.adminID:
			return s.fault(kindData, "Admin delete not supported")
		case slices.Contains(users[:i], u):
			return s.fault(kindData, "User %d is given more than once", u.id)
		case u.id == heir:
			return s.fault(kindData, "It is not allowed to reassign the shared data to the user which should be deleted.")
		}
	}
	if reassign != nil && *reassign > 0 {
		to := c.users[heir]
		if to == nil {
			return s.fault(kindNoUser, "No such user %d in context %d", heir, c.id)
		}
		if number(to.data.FilestoreId) == 0 {
			return s.fault(kindData, "The user %d in context %d is not an owner of a filestore.", heir, c.id)
		}
	}
	for _, u := range users {
		c.pim.deleteUser(u.id, heir)
		for _, g := range c.groups {
			delete(g.members, u.id)
		}
		if h := c.users[heir]; h != nil {
			h.personalData.inherit(u.personalData)
		}
		c.store(u, nil)
	}
	return nil
}
