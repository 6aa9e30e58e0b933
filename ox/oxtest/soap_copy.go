package oxtest

import (
	"maps"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

func copyService() *service {
	return &service{
		name:     oxusercopy.Service,
		style:    soap.FaultStyle{Namespace: oxusercopy.Namespace, Rich: true},
		decoder:  soap.NewRequestDecoder(oxusercopy.Namespace, oxusercopy.Operations),
		handlers: map[*soap.Operation]handler{oxusercopy.OpCopyUser: on(copyUser)},
	}
}

// copyUser answers OXUserCopyService.copyUser. Only one call may be under way in
// the whole installation: a second one breaks both, or hangs.
func copyUser(c *call, r *oxusercopy.CopyUser) (*oxusercopy.CopyUserResponse, *soap.Fault) {
	a := convert[creds](r.Auth)
	src, dest := convert[ctxRef](r.Src), convert[ctxRef](r.Dest)
	s := c.st
	s.mu.Lock()
	if f := s.authMaster(a); f != nil {
		s.mu.Unlock()
		return nil, f
	}
	s.copies++
	crossed := s.copies > 1
	if crossed {
		s.copiesCrossed = true
	}
	if crossed && c.srv.hangingCopies && dest != nil && s.context(number(dest.Id)) != nil {
		lock := s.context(number(dest.Id)).lock
		s.mu.Unlock()
		lock.try() // open transactions keep whoever writes users in the target waiting
		<-c.srv.closed.Done()
		s.mu.Lock()
		s.copies--
		defer s.mu.Unlock()
		return nil, s.fault(kindStorage, "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'")
	}
	s.mu.Unlock()

	out := &oxusercopy.CopyUserResponse{}
	fault := c.locked(func() *soap.Fault {
		broken := s.copiesCrossed
		if s.copies--; s.copies == 0 {
			s.copiesCrossed = false
		}
		if broken {
			return s.fault(kindStorage, "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'")
		}
		id, f := s.copyUser(src, dest, convert[userRef](r.User))
		if f == nil {
			out.Return_ = &oxusercopy.User{Id: id32(id), Contextadmin: new(false), ImapPort: id32(143),
				ImapSchema: new("imap://"),
				SmtpPort:   id32(25), SmtpSchema: new("smtp://"), UserAttributes: &oxusercopy.SOAPStringMapMap{}}
		}
		return f
	})
	return out, fault
}

func (s *State) copyUser(src, dest *ctxRef, ref *userRef) (int, *soap.Fault) {
	var cs [2]*contextState
	for i, r := range []*ctxRef{src, dest} {
		if r == nil || r.Id == nil {
			return 0, s.fault(kindData, "Client sent invalid context data object")
		}
		if cs[i] = s.context(number(r.Id)); cs[i] == nil {
			return 0, s.fault(kindNoContext, "The context %d does not exist!", number(r.Id))
		}
	}
	from, to := cs[0], cs[1]
	u, f := s.findUser(from, ref, false)
	if f != nil {
		return 0, f
	}
	for _, c := range cs {
		if f := s.schemaState(c); f != nil {
			return 0, f
		}
	}
	// The login name is all that is compared; addresses and display names are not.
	switch {
	case to.userByName(u.name()) == nil:
	case ref.Name == nil:
		return 0, s.fault(kindStorage,
			"UCP-0011 Categories=USER_INPUT Message='A user named %s already exists in destination context %d.'", u.name(),
			to.id)
	default:
		return 0, s.fault(kindUserExists, "User %s already exists in context %d", u.name(), to.id)
	}
	if f := s.checkCapacity(to); f != nil {
		return 0, f
	}
	size := u.personalData.DriveBytes >> 20
	if to.maxQuota >= 0 && to.usedQuota+size > to.maxQuota {
		return 0, s.fault(kindStorage,
			"UCP-0016 Categories=USER_INPUT Message='The quota of context %d does not suffice for the files of user %s.'",
			to.id, u.name())
	}
	data := *u.data
	data.Mailenabled = new(true)
	n := &userState{id: to.nextID(), password: u.password, attributes: u.attributes.clone(), access: u.access,
		bookHidden:   true,
		capabilities: maps.Clone(u.capabilities), personal: u.personal, personalData: u.personalData.copied()}
	to.usedQuota += size
	to.store(n, &data)
	copyPIMUser(from.pim, u.id, to.pim, n.id)
	return n.id, nil
}
