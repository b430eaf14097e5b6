from simcore.model.ports import PORT_PROTOCOLS, TCP, NamedPort, PortRange, PortSet
from simcore.model.trace import port_words


def test_a_name_that_counts_for_every_protocol_is_said_once():
    web = tuple(NamedPort(protocol, "web") for protocol in PORT_PROTOCOLS)
    assert port_words(PortSet((*web, PortRange(TCP, 80, 80)))) == "ports named web, TCP 80"
    assert port_words(PortSet((NamedPort(TCP, "web"),))) == "TCP port named web"
    assert port_words(PortSet(None, web)) == "every port but ports named web"
