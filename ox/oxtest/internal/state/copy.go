package state

import (
	"maps"

	"github.com/ictmedia/schoolmail/internal/soap"
)

func (s *World) CopyUser(src, dest *ContextRef, ref *UserRef) (int, *soap.Fault) {
	var cs [2]*Context
	for i, r := range []*ContextRef{src, dest} {
		if r == nil || r.Id == nil {
			return 0, s.Fault(KindData, "Client sent invalid context data object")
		}
		if cs[i] = s.Context(Number(r.Id)); cs[i] == nil {
			return 0, s.Fault(KindNoContext, "The context %d does not exist!", Number(r.Id))
		}
	}
	from, to := cs[0], cs[1]
	u, f := s.FindUser(from, ref, false)
	if f != nil {
		return 0, f
	}
	for _, c := range cs {
		if f := s.SchemaState(c); f != nil {
			return 0, f
		}
	}
	// The login name is all that is compared; addresses and display names are not.
	switch {
	case to.UserByName(u.Name()) == nil:
	case ref.Name == nil:
		return 0, s.Fault(KindStorage,
			"UCP-0011 Categories=USER_INPUT Message='A user named %s already exists in destination context %d.'", u.Name(),
			to.ID)
	default:
		return 0, s.Fault(kindUserExists, "User %s already exists in context %d", u.Name(), to.ID)
	}
	if f := s.checkCapacity(to); f != nil {
		return 0, f
	}
	size := u.PersonalData.DriveBytes >> 20
	if to.MaxQuota >= 0 && to.UsedQuota+size > to.MaxQuota {
		return 0, s.Fault(KindStorage,
			"UCP-0016 Categories=USER_INPUT Message='The quota of context %d does not suffice for the files of user %s.'",
			to.ID, u.Name())
	}
	data := *u.Data
	data.Mailenabled = new(true)
	n := &User{ID: to.NextID(), Password: u.Password, Attributes: u.Attributes.Clone(), Access: u.Access,
		bookHidden:   true,
		Capabilities: maps.Clone(u.Capabilities), Personal: u.Personal, PersonalData: u.PersonalData.copied()}
	to.UsedQuota += size
	to.Store(n, &data)
	copyPIM(from.PIM, u.ID, to.PIM, n.ID)
	return n.ID, nil
}
