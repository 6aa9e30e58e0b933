package soapapi

import (
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func copyService() *service {
	return &service{
		name:     oxusercopy.Service,
		style:    soap.FaultStyle{Namespace: oxusercopy.Namespace, Rich: true},
		decoder:  soap.NewRequestDecoder(oxusercopy.Namespace, oxusercopy.Operations),
		Handlers: map[*soap.Operation]handler{oxusercopy.OpCopyUser: on(copyUser)},
	}
}

// copyUser answers OXUserCopyService.copyUser. Only one call may be under way in
// the whole installation: a second one breaks both, or hangs.
func copyUser(c *call, r *oxusercopy.CopyUser) (*oxusercopy.CopyUserResponse, *soap.Fault) {
	src, dest := state.Convert[state.ContextRef](r.Src), state.Convert[state.ContextRef](r.Dest)
	s := c.st
	s.Mu.Lock()
	if f := s.AuthMaster(r.Auth); f != nil {
		s.Mu.Unlock()
		return nil, f
	}
	s.Copies++
	crossed := s.Copies > 1
	if crossed {
		s.CopiesCrossed = true
	}
	if crossed && c.srv.HangingCopies && dest != nil && s.Context(state.Number(dest.Id)) != nil {
		lock := s.Context(state.Number(dest.Id)).Lock
		s.Mu.Unlock()
		lock.Try() // open transactions keep whoever writes users in the target waiting
		<-c.srv.traffic.Closed.Done()
		s.Mu.Lock()
		s.Copies--
		defer s.Mu.Unlock()
		return nil, s.Fault(state.KindStorage, "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'")
	}
	s.Mu.Unlock()

	out := &oxusercopy.CopyUserResponse{}
	fault := c.locked(func() *soap.Fault {
		broken := s.CopiesCrossed
		if s.Copies--; s.Copies == 0 {
			s.CopiesCrossed = false
		}
		if broken {
			return s.Fault(state.KindStorage, "UCP-0003 Categories=ERROR Message='Unexpected problem occurred.'")
		}
		id, f := s.CopyUser(src, dest, state.Convert[state.UserRef](r.User))
		if f == nil {
			out.Return_ = &oxusercopy.User{Id: state.Id32(id), Contextadmin: new(false), ImapPort: state.Id32(143),
				ImapSchema: new("imap://"),
				SmtpPort:   state.Id32(25), SmtpSchema: new("smtp://"), UserAttributes: &oxusercopy.SOAPStringMapMap{}}
		}
		return f
	})
	return out, fault
}
