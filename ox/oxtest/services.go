package oxtest

// allServices makes the services that a server offers.
func allServices() []*service {
	return []*service{
		contextService(), groupService(), resourceService(), secondaryAccountService(),
		taskService(), copyService(), userService(), utilService(),
	}
}
