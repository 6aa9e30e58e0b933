package ox

import (
	"encoding/xml"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Whoever reads all users of an installation wants little of each: nearly all of what
// OX answers is passed over unread when the struct that it is read into does not have
// it. These are such structs: some fields of [oxuser.User], with the same elements.

// listedUser is what is read of a user who is only counted.
type listedUser struct {
	ID int32 `xml:"http://dataobjects.soap.admin.openexchange.com/xsd id,omitempty" soap:"nillable"`
}

// placedUser is what the planner wants to know of a user.
type placedUser struct {
	Contextadmin *bool  `xml:"http://dataobjects.soap.admin.openexchange.com/xsd contextadmin,omitempty"`
	Display_name string `xml:"http://dataobjects.soap.admin.openexchange.com/xsd display_name,omitempty" soap:"nillable"`
	Given_name   string `xml:"http://dataobjects.soap.admin.openexchange.com/xsd given_name,omitempty" soap:"nillable"`
	ID           int32  `xml:"http://dataobjects.soap.admin.openexchange.com/xsd id,omitempty" soap:"nillable"`
	Mailenabled  *bool  `xml:"http://dataobjects.soap.admin.openexchange.com/xsd mailenabled,omitempty" soap:"nillable"`
	Name         string `xml:"http://dataobjects.soap.admin.openexchange.com/xsd name,omitempty" soap:"nillable"`
	PrimaryEmail string `xml:"http://dataobjects.soap.admin.openexchange.com/xsd primaryEmail,omitempty" soap:"nillable"`
	Sur_name     string `xml:"http://dataobjects.soap.admin.openexchange.com/xsd sur_name,omitempty" soap:"nillable"`
}

func placeFrom(id schoolmail.ContextID, u *placedUser) schoolmail.Place {
	return schoolmail.Place{
		Context: id, UserID: schoolmail.UserID(u.ID), Username: u.Name, Mail: u.PrimaryEmail,
		DisplayName: u.Display_name, GivenName: u.Given_name, FamilyName: u.Sur_name,
		MailEnabled: u.Mailenabled == nil || *u.Mailenabled, Admin: val(u.Contextadmin),
	}
}

// getUsers is oxuser.GetMultipleData, of users who are named by their ids.
type getUsers struct {
	XMLName xml.Name            `xml:"http://soap.admin.openexchange.com getMultipleData"`
	Ctx     *oxuser.Context     `xml:"http://soap.admin.openexchange.com ctx,omitempty" soap:"nillable"`
	Users   []listedUser        `xml:"http://soap.admin.openexchange.com users,omitempty" soap:"nillable"`
	Auth    *oxuser.Credentials `xml:"http://soap.admin.openexchange.com auth,omitempty" soap:"nillable"`
}
