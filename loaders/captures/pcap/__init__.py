"""Packets as tcpdump and Wireshark write them: pcap and pcapng, down to the headers of transport."""
