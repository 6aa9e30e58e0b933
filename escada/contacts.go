package escada

import "bytes"

// contacts are the addresses and telephone numbers of those who have some, all in
// one text: nobody has the same as others.
type contacts struct {
	list []contact // by number; 0 is none
	text []byte
}

// contact is where those of a person lie in the text, first the address.
type contact struct {
	at          uint64
	mail, phone uint8
}

func newContacts() contacts { return contacts{list: make([]contact, 1)} }

// keep gives a number to an address and a telephone number, 0 if there is neither.
func (c *contacts) keep(mail, phone []byte) uint32 {
	if len(mail)+len(phone) == 0 {
		return 0
	}
	c.list = append(c.list, contact{uint64(len(c.text)), uint8(len(mail)), uint8(len(phone))})
	c.text = append(append(c.text, mail...), phone...)
	return uint32(len(c.list) - 1)
}

// contactIn cuts a contact out of the text or a copy of it.
func contactIn[T string | []byte](text T, x contact) (mail, phone T) {
	end := x.at + uint64(x.mail)
	return text[x.at:end], text[end : end+uint64(x.phone)]
}

// mergeContact adds what a further row of a person says.
func (f *folder) mergeContact(p *person, e *entry, at place) {
	if p.contact == 0 {
		p.contact = f.keep(e.mail, e.phone)
		return
	}
	mail, phone := contactIn(f.text, f.list[p.contact])
	same := func(have, v []byte) bool { return len(v) == 0 || bytes.Equal(have, v) }
	if same(mail, e.mail) && same(phone, e.phone) {
		return
	}
	m, t := string(mail), string(phone)
	f.merge(p, ColumnNoticeMail, &m, string(e.mail), e, at)
	f.merge(p, ColumnPhone, &t, string(e.phone), e, at)
	p.contact = f.keep([]byte(m), []byte(t))
}
