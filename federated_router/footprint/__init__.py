"""What answers take: energy, CO2 equivalent and cost, by answer and by tenant."""
