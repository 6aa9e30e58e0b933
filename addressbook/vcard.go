package addressbook

import (
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-vcard"
)

// WriteVCards writes the entries of a book as vCards 4.0 (RFC 6350), one after
// the other. A distribution list becomes a card of kind "group" with its
// members' addresses.
func WriteVCards(w io.Writer, entries []Entry) error {
	enc := vcard.NewEncoder(w)
	for _, e := range entries {
		if err := enc.Encode(e.card()); err != nil {
			return fmt.Errorf("addressbook: write vCard: %w", err)
		}
	}
	return nil
}

func (e Entry) card() vcard.Card {
	c := vcard.Card{}
	c.SetValue(vcard.FieldVersion, "4.0")
	set := func(field, value string) {
		if value != "" {
			c.SetValue(field, value)
		}
	}
	set(vcard.FieldUID, e.Key)
	set(vcard.FieldFormattedName, e.DisplayName)
	if e.IsList() {
		c.SetKind(vcard.KindGroup)
		for _, m := range e.Members {
			c.AddValue(vcard.FieldMember, "mailto:"+m.Mail)
		}
		return c
	}
	if e.GivenName != "" || e.FamilyName != "" {
		c.SetName(&vcard.Name{GivenName: component(e.GivenName), FamilyName: component(e.FamilyName)})
	}
	set(vcard.FieldEmail, e.Mail)
	if e.Phone != "" {
		c.Add(vcard.FieldTelephone, &vcard.Field{Value: e.Phone, Params: vcard.Params{vcard.ParamType: {vcard.TypeWork}}})
	}
	if e.Class != "" {
		set(vcard.FieldOrganization, component(e.School)+";"+component(e.Class))
	} else {
		set(vcard.FieldOrganization, component(e.School))
	}
	return c
}

// component makes a part of a structured value. The encoder does not escape
// the semicolons between the parts, so a part must not have any.
func component(s string) string { return strings.ReplaceAll(s, ";", ",") }
